import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface LossyProxy {
  /** The Redis behind it, through it. */
  readonly url: string;
  /** The next reply never arrives: what was asked has been done, and the connection breaks before anybody is told. */
  loseNextReply(): void;
  /** Replies lost so far. */
  lost(): number;
  close(): Promise<void>;
}

/** Stands between a client and a Redis, and cuts the line where it hurts. */
export async function openLossyProxy(redisUrl: string): Promise<LossyProxy> {
  const target = new URL(redisUrl);
  const sockets = new Set<Socket>();
  let armed = false;
  let lost = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
    client.pipe(upstream);
    upstream.on("data", (reply) => {
      if (!armed) return void client.write(reply);
      armed = false;
      lost++;
      client.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(redisUrl);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    loseNextReply: () => {
      armed = true;
    },
    lost: () => lost,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
