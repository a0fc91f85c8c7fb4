// A function of a WebAssembly module: parameters, locals, and statements written one after another.
import { type Code, list, sized, unsigned } from './bytes.js';
import { type Expression, type I32, i32, type Local, statement, type ValueType } from './instructions.js';

export const valueTypeCodes: Readonly<Record<ValueType, number>> = {
  i32: 0x7f,
  f32: 0x7d,
  v128: 0x7b,
};

/** A function that is complete: what modules are made of. */
export interface FunctionCode {
  readonly parameters: readonly ValueType[];
  readonly result?: ValueType;
  /** Locals and instructions, ready for the code section. */
  readonly body: Code;
}

/** A loop of ranges `from ≤ index < until`. */
export interface Range {
  readonly from: I32;
  readonly until: I32;
  readonly step?: number;
}

export class FunctionBuilder {
  readonly parameters: readonly Local[];
  private readonly locals: ValueType[] = [];
  private readonly code: Code[] = [];
  private readonly free: Record<ValueType, number[]> = { i32: [], f32: [], v128: [] };
  private scope: Local[] | undefined;
  /** What runs before all else: constants that are used many times. */
  private readonly head: Code[] = [];
  private readonly constants = new Map<string, Local>();

  constructor(
    private readonly types: readonly ValueType[],
    private readonly result?: ValueType,
  ) {
    this.parameters = types.map((type, index) => variable(type, index));
  }

  /** A variable whose value is open until it is set. */
  local<T extends ValueType>(type: T): Local<T> {
    const index = this.free[type].pop() ?? this.types.length + this.locals.push(type) - 1;
    const local = variable(type, index);
    this.scope?.push(local);
    return local;
  }

  /** Variables made within `body` are free again after it. */
  scoped(body: () => void): void {
    const outer = this.scope;
    const own: Local[] = [];
    this.scope = own;
    body();
    this.scope = outer;
    for (const local of own) this.free[local.type].push(local.index);
  }

  /** A variable that holds a value from here on. */
  hold<T extends ValueType>(value: Expression<T>): Local<T> {
    const local = this.local(value.type);
    this.set(local, value);
    return local;
  }

  /** A constant, held in one variable of the function: to write it out takes many bytes. */
  constant<T extends ValueType>(value: Expression<T>): Local<T> {
    const key = value.code.flat(9).join();
    const known = this.constants.get(key) as Local<T> | undefined;
    if (known !== undefined) return known;
    const local = variable(value.type, this.types.length + this.locals.push(value.type) - 1);
    this.head.push(statement.set(local, value));
    this.constants.set(key, local);
    return local;
  }

  emit(...code: Code): void {
    this.code.push(code);
  }

  set<T extends ValueType>(local: Local<T>, value: Expression<T>): void {
    this.emit(statement.set(local, value));
  }

  /** local += amount. */
  increase(local: Local<'i32'>, amount: number): void {
    if (amount !== 0) this.set(local, i32.add(local, i32.const(amount)));
  }

  /** Runs `body` while its index is in the range; the range is tested before each turn. */
  loop({ from, until, step = 1 }: Range, body: (index: Local<'i32'>) => void): void {
    const index = this.hold(from);
    const end = this.hold(until);
    this.when(i32.lessThan(index, end), () => {
      this.repeat(() => {
        body(index);
        this.increase(index, step);
        return i32.lessThan(index, end);
      });
    });
  }

  /** Runs `body` a fixed number of times. */
  times(count: number, body: () => void): void {
    if (count === 1) body();
    if (count <= 1) return;
    const left = this.hold(i32.const(count));
    this.repeat(() => {
      body();
      this.set(left, i32.sub(left, i32.const(1)));
      return left;
    });
  }

  /** Runs `body` again as long as the condition that it returns holds. */
  repeat(body: () => I32): void {
    this.emit(0x03, 0x40);
    this.emit(body().code, 0x0d, 0);
    this.emit(0x0b);
  }

  when(condition: I32, body: () => void, otherwise?: () => void): void {
    this.emit(condition.code, 0x04, 0x40);
    body();
    if (otherwise !== undefined) {
      this.emit(0x05);
      otherwise();
    }
    this.emit(0x0b);
  }

  /** Runs the case that `index` numbers. */
  choose(index: I32, cases: readonly (() => void)[]): void {
    for (let depth = 0; depth <= cases.length; depth++) this.emit(0x02, 0x40);
    const depths = cases.map((_, number) => unsigned(number));
    this.emit(index.code, 0x0e, ...unsigned(cases.length), ...depths, ...unsigned(cases.length));
    this.emit(0x0b);
    cases.forEach((run, number) => {
      run();
      this.emit(0x0c, ...unsigned(cases.length - 1 - number), 0x0b);
    });
  }

  /** Calls a function that returns nothing. */
  call(index: number, args: readonly Expression[]): void {
    this.emit(
      args.map((arg) => arg.code),
      0x10,
      ...unsigned(index),
    );
  }

  return(value?: Expression): void {
    this.emit(value?.code ?? [], 0x0f);
  }

  build(): FunctionCode {
    const locals = list(this.locals.map((type) => [1, valueTypeCodes[type]]));
    return {
      parameters: this.types,
      ...(this.result === undefined ? {} : { result: this.result }),
      body: sized([locals, this.head, this.code, 0x0b]),
    };
  }
}

function variable<T extends ValueType>(type: T, index: number): Local<T> {
  return { type, index, code: [0x20, ...unsigned(index)] };
}
