import { Duplex } from "node:stream"

/** Terminate, the protocol's good-bye. The embedded database has nobody else to serve and must not hear it. Source: PostgreSQL's manual, 54.7. */
const goodbye = 0x58

/** One end of PostgreSQL's protocol, the other being the thread that the database runs in. It has the methods of a socket that `pg` calls. */
export class ProtocolStream extends Duplex {
  readonly #ready: () => Promise<void>
  readonly #send: (bytes: Uint8Array<ArrayBuffer>) => void

  constructor(ready: () => Promise<void>, send: (bytes: Uint8Array<ArrayBuffer>) => void) {
    super()
    this.#ready = ready
    this.#send = send
  }

  connect(): void {
    this.#ready().then(
      () => this.emit("connect"),
      (error) => this.destroy(error),
    )
  }

  setNoDelay(): void {}
  setKeepAlive(): void {}
  ref(): void {}
  unref(): void {}

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#forward([chunk])
    done()
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#forward(chunks.map(({ chunk }) => chunk))
    done()
  }

  override _final(done: () => void): void {
    this.push(null)
    done()
  }

  /** An answer of the database; one that comes too late is dropped. */
  receive(bytes: Uint8Array<ArrayBuffer>): void {
    if (!this.destroyed && !this.writableEnded) this.push(Buffer.from(bytes.buffer))
  }

  /** One message of exactly these bytes: what is sent is handed over, not copied once more. */
  #forward(chunks: readonly Buffer[]): void {
    const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
    if (chunks.length === 1 && chunks[0]?.[0] === goodbye && bytes.length === 5) return
    let at = 0
    for (const chunk of chunks) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    this.#send(bytes)
  }
}
