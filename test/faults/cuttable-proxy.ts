import { connect, createServer, type Server, type Socket } from "node:net"

/** A TCP relay that can lose its far side: what a gateway sees of a database server that stops and comes back. */
export interface CuttableProxy {
  readonly port: number
  /** Ends every connection and refuses new ones. */
  cut(): Promise<void>
  /** Takes connections again. */
  mend(): Promise<void>
  close(): Promise<void>
}

export async function cuttableProxy(target: { host: string; port: number }): Promise<CuttableProxy> {
  const sockets = new Set<Socket>()
  let server: Server | undefined
  const listen = (port: number) =>
    new Promise<number>((resolve, reject) => {
      const listening = createServer((near) => {
        const far = connect(target.port, target.host)
        for (const [socket, other] of [
          [near, far],
          [far, near],
        ] as const) {
          sockets.add(socket)
          socket.pipe(other)
          socket.on("error", () => other.destroy())
          socket.on("close", () => sockets.delete(socket))
        }
      })
      listening.once("error", reject)
      listening.listen(port, "127.0.0.1", () => {
        server = listening
        resolve((listening.address() as { port: number }).port)
      })
    })
  const cut = async () => {
    const ended = new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
    for (const socket of sockets) socket.destroy()
    await ended
    server = undefined
  }
  const port = await listen(0)
  return {
    port,
    cut,
    mend: async () => {
      await listen(port)
    },
    close: cut,
  }
}
