import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';

interface Line {
  readonly near: Socket;
  readonly far: Socket;
}

/** A line between client and server that a test can cut, stall and slow down. Loopback only. */
export class TcpProxy {
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #lines = new Set<Line>();
  #isStalled = false;
  #delay = 0;
  #bytesUntilCut = Infinity;
  #cuts = 0;

  private constructor(server: Server, target: { readonly host: string; readonly port: number }) {
    this.#server = server;
    this.#target = target;
    server.on('connection', (near) => this.#join(near));
  }

  static async listen(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server, target);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections open on the client's side. */
  get open(): number {
    return this.#lines.size;
  }

  /** How often `cutAfter` has cut. */
  get cuts(): number {
    return this.#cuts;
  }

  /** Ends every connection at once; new ones are let through. */
  cut(): void {
    for (const { near, far } of this.#lines) {
      near.destroy();
      far.destroy();
    }
  }

  /** Cuts when so many more bytes have come from the clients. The last of them may or may not arrive. */
  cutAfter(bytes: number): void {
    this.#bytesUntilCut = bytes;
  }

  /** Nothing goes either way any more, and nobody is told. New connections are accepted and fare the same. */
  stall(): void {
    this.#isStalled = true;
    for (const { near, far } of this.#lines) {
      near.pause();
      far.pause();
    }
  }

  resume(): void {
    this.#isStalled = false;
    for (const { near, far } of this.#lines) {
      near.resume();
      far.resume();
    }
  }

  /** Milliseconds that each piece takes, in either direction, on connections made from now on. */
  delay(milliseconds: number): void {
    this.#delay = milliseconds;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket): void {
    const far = connect(this.#target);
    const line = { near, far };
    this.#lines.add(line);
    const part = (): void => {
      near.destroy();
      far.destroy();
      this.#lines.delete(line);
    };
    for (const socket of [near, far]) socket.on('error', part).on('close', part);
    near.on('data', (bytes: Buffer) => this.#count(bytes.length));
    near.pipe(this.#slow()).pipe(far);
    far.pipe(this.#slow()).pipe(near);
    if (this.#isStalled) this.stall();
  }

  #count(bytes: number): void {
    this.#bytesUntilCut -= bytes;
    if (this.#bytesUntilCut > 0) return;
    this.#bytesUntilCut = Infinity;
    this.#cuts += 1;
    this.cut();
  }

  #slow(): Transform {
    const delay = this.#delay;
    return new Transform({
      transform: (bytes: Buffer, _encoding, done) => {
        if (delay === 0) done(null, bytes);
        else setTimeout(() => done(null, bytes), delay);
      },
    });
  }
}
