# The worker, or any other command: docker run … cardbatch run /mnt/scans …
FROM node:22-slim AS build
WORKDIR /app
# onnxruntime-node's install script would fetch GPU libraries; the CPU runtime is in the package.
ENV ONNXRUNTIME_NODE_INSTALL=skip
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
RUN npm run build && npm prune --omit=dev

FROM node:22-slim
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY models models
COPY LICENSE THIRD-PARTY-NOTICES.md ./
# A volume takes its owner from the folder that it covers.
RUN mkdir /staging && chown node /staging
USER node
ENTRYPOINT ["node", "dist/cli/main.js"]
CMD ["worker"]
