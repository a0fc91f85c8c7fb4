// A module with its memory, ready to run. Needs nothing but WebAssembly: emitted explainers carry this file.

/** What a module must be given, and where its steps are. */
export interface MachineLayout {
  /** Pages of memory, of 64 KiB. */
  readonly pages: number;
  /** Where the byte of the module stands that says whether its memory is shared. */
  readonly memoryFlag: number;
  /** Steps from `run` on are a run; those before are run once when weights are there. */
  readonly steps: { readonly run: number; readonly varied: number; readonly end: number };
  /** Address of the word that is not 0 where an index pointed outside. */
  readonly failed: number;
  readonly scratch: { readonly address: number; readonly bytes: number; readonly threads: number };
}

interface Exports {
  readonly run: (first: number, end: number) => void;
  readonly scratch: { value: number };
  readonly workers: { value: number };
}

export class Machine {
  private constructor(
    private memory: WebAssembly.Memory | undefined,
    private readonly exports: Exports,
    private readonly layout: MachineLayout,
  ) {}

  static async start(bytes: Uint8Array<ArrayBuffer>, layout: MachineLayout): Promise<Machine> {
    const own = bytes.slice();
    own[layout.memoryFlag] = 1;
    const memory = new WebAssembly.Memory({ initial: layout.pages, maximum: layout.pages });
    const { instance } = await WebAssembly.instantiate(own, { env: { memory } });
    const exports = instance.exports as unknown as Exports;
    exports.scratch.value = layout.scratch.address;
    return new Machine(memory, exports, layout);
  }

  get buffer(): ArrayBuffer {
    return this.memory!.buffer;
  }

  /** Runs the load phase. */
  load(): void {
    this.exports.run(0, this.layout.steps.run);
  }

  /** Runs everything, or what depends on varied inputs. */
  run(part: 'all' | 'varied' = 'all'): void {
    this.exports.run(
      part === 'all' ? this.layout.steps.run : this.layout.steps.varied,
      this.layout.steps.end,
    );
  }

  /** Whether an index pointed outside since this was last asked: then not 0. */
  failure(): number {
    const word = new Int32Array(this.buffer, this.layout.failed, 1);
    const [failure] = word as unknown as [number];
    word[0] = 0;
    return failure;
  }

  dispose(): void {
    this.memory = undefined;
  }
}
