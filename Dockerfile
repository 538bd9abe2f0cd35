# One image for every process: `docker run waybill <write-api|read-api|relay|projector|fulfilment|payment-simulator|cli …|all>`.
# What it runs was installed and compiled here; nothing is when it starts. docs/deployment.md says what each one needs.

FROM node:22.20.0-bookworm-slim AS build
WORKDIR /srv/waybill
COPY package.json package-lock.json .npmrc ./
COPY shared-kernel/package.json shared-kernel/
COPY infra/package.json infra/
COPY command-side/package.json command-side/
COPY projections/package.json projections/
COPY query-side/package.json query-side/
COPY cli/package.json cli/
RUN npm ci --omit=dev --no-audit --no-fund
COPY tsconfig.base.json tsconfig.json tsconfig.build.json main.ts followers.ts ./
COPY bootstrap/parts.mjs bootstrap/root.mjs bootstrap/
COPY shared-kernel shared-kernel
COPY infra infra
COPY command-side command-side
COPY projections projections
COPY query-side query-side
COPY cli cli
RUN node node_modules/typescript-7/bin/tsc -b tsconfig.build.json
# What only compiling needs, what nobody reads in a container, and binaries for other systems.
RUN rm -rf node_modules/typescript-7 node_modules/@typescript node_modules/@types \
      node_modules/@photostructure/sqlite/prebuilds/darwin-* node_modules/@photostructure/sqlite/prebuilds/win32-*
RUN find . -type f '(' -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' -o -name '*.tsbuildinfo' ')' \
      -exec rm '{}' +

FROM node:22.20.0-bookworm-slim
ENV NODE_ENV=production \
    WAYBILL_HOST=0.0.0.0 \
    WAYBILL_HEALTH_PORT=4002 \
    WAYBILL_DATA=/var/lib/waybill
RUN install -d -o 1000 -g 1000 -m 0700 /var/lib/waybill
WORKDIR /srv/waybill
# Owned by root: the process cannot change what it runs, on a read-only root file system or not.
COPY --from=build /srv/waybill ./
USER 1000:1000
EXPOSE 4000 4001 4002 4003
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "infra/deploy/image/healthy.mjs"]
ENTRYPOINT ["node", "infra/deploy/image/run.mjs"]
CMD ["all"]
