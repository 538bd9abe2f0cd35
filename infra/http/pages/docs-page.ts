import { createRequire } from 'node:module';

/** The script that renders an OpenAPI document, from the installed package: nothing is fetched from elsewhere. */
export const docsScript = createRequire(import.meta.url).resolve('rapidoc/dist/rapidoc-min.js');

/** The page at `/docs`. Its addresses are relative, so that it works behind a gateway's prefix. */
export function docsPage(title: string): string {
  const name = title.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${name}</title>
    <link rel="icon" href="data:,">
    <script type="module" src="docs/rapidoc.js"></script>
  </head>
  <body>
    <rapi-doc spec-url="openapi.json" render-style="read" load-fonts="false" show-header="false"
      schema-style="table" persist-auth="false"></rapi-doc>
  </body>
</html>
`;
}
