// A WebAssembly module: one memory from outside, functions, globals, exports and data.
import { type Code, flatten, list, sized, text, unsigned } from './bytes.js';
import { type FunctionCode, valueTypeCodes } from './function.js';
import { i32 } from './instructions.js';

const magic: Code = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

export interface DataSegment {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export interface ModuleParts {
  /** 64 KiB pages of the memory `env.memory`, which is shared between threads. */
  readonly pages: number;
  readonly functions: readonly FunctionCode[];
  /** Functions that can be called from outside, by name. */
  readonly exports: Readonly<Record<string, number>>;
  /** Mutable i32 globals with their first values, each exported. */
  readonly globals: Readonly<Record<string, number>>;
  readonly data: readonly DataSegment[];
}

export interface EncodedModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where the byte stands that declares the memory shared (3) or not (1): a loader without threads changes it. */
  readonly memoryFlag: number;
}

const section = (id: number, content: Code): Code => [id, sized(content)];

/** Function types in use, each once, and the number of each function's own. */
function typesOf(functions: readonly FunctionCode[]): { types: Code[]; numbers: number[] } {
  const known = new Map<string, number>();
  const types: Code[] = [];
  const numbers = functions.map(({ parameters, result }) => {
    const key = `${parameters.join()}>${result ?? ''}`;
    const number = known.get(key) ?? types.length;
    if (!known.has(key)) {
      known.set(key, number);
      const results = result === undefined ? [] : [[valueTypeCodes[result]]];
      types.push([0x60, list(parameters.map((type) => [valueTypeCodes[type]])), list(results)]);
    }
    return number;
  });
  return { types, numbers };
}

/** Writes the binary of a module. */
export function encodeModule({ pages, functions, exports, globals, data }: ModuleParts): EncodedModule {
  const { types, numbers } = typesOf(functions);
  const head = [...magic, section(1, list(types))];
  const memoryImport = [text('env'), text('memory'), 0x02];
  const limits = [0x03, ...unsigned(pages), ...unsigned(pages)];
  const imports = section(2, list([[...memoryImport, ...limits]]));
  const exported = [
    ...Object.entries(exports).map(([name, index]): Code => [text(name), 0x00, ...unsigned(index)]),
    ...Object.keys(globals).map((name, index): Code => [text(name), 0x03, ...unsigned(index)]),
  ];
  const bytes = flatten([
    head,
    imports,
    section(3, list(numbers.map((number) => unsigned(number)))),
    section(6, list(Object.values(globals).map((value) => [0x7f, 1, i32.const(value).code, 0x0b]))),
    section(7, list(exported)),
    section(10, list(functions.map(({ body }) => body))),
    section(
      11,
      list(
        data.map(({ address, bytes: content }) => [0, i32.const(address).code, 0x0b, sized([...content])]),
      ),
    ),
  ]) as Uint8Array<ArrayBuffer>;
  const memoryFlag = flatten([head, imports]).length - flatten(limits).length;
  return { bytes, memoryFlag };
}

/** The global of a number, in the order of the module's `globals`. */
export const globalGet = (index: number) => ({
  type: 'i32' as const,
  code: [0x23, ...unsigned(index)] as Code,
});
