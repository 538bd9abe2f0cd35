import type { OpenApiDocument } from '../pages/openapi.js';

/** The document of an API whose operations a test makes up. */
export const thingsDocument: OpenApiDocument = {
  openapi: '3.1.0',
  info: { title: 'Things', version: '1' },
  paths: {},
  components: { schemas: {}, securitySchemes: {} },
};
