// The parser of graph texts: the printer's inverse, for tests, `.relc` files and people.
import { inferType } from './check.js';
import type { Dialect } from './dialect.js';
import { RelcError } from './error.js';
import { type Attr, type Attrs, type Graph, type Loc, type Name, type Node, resolveAlias } from './graph.js';
import { type Dim, dtypes, parseDim, printType, sameType, type TensorType } from './type.js';

/** Reads one line from the left; every failure names the file, line and column. */
class Cursor {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly line: number,
    private readonly source: string,
  ) {}

  fail(expected: string): never {
    const rest = this.text.slice(this.at, this.at + 24);
    throw new RelcError(
      'RELC1001',
      `${this.source}:${this.line}:${this.at + 1}: expected ${expected}, got ${rest === '' ? 'the end of the line' : `'${rest}'`}`,
    );
  }

  /** @param sticky  a pattern with the flag y */
  take(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.at;
    const match = sticky.exec(this.text);
    if (match === null) return undefined;
    this.at = sticky.lastIndex;
    return match[0];
  }

  space(): void {
    this.take(/[ \t]*/y);
  }

  /** Takes `symbol` if it is next, with the blanks before it. */
  accept(symbol: string): boolean {
    this.space();
    if (!this.text.startsWith(symbol, this.at)) return false;
    this.at += symbol.length;
    return true;
  }

  expect(symbol: string): void {
    if (!this.accept(symbol)) this.fail(`'${symbol}'`);
  }

  word(what: string): string {
    this.space();
    return this.take(/[A-Za-z_][A-Za-z0-9_.:/-]*/y) ?? this.fail(what);
  }

  name(): Name {
    this.space();
    this.expect('%');
    return this.take(/[A-Za-z0-9_./:-]+/y) ?? this.fail("a value's name");
  }

  /** Items parted by commas until `close`. */
  until<Item>(close: string, item: () => Item): Item[] {
    const items: Item[] = [];
    if (this.accept(close)) return items;
    do items.push(item());
    while (this.accept(','));
    this.expect(close);
    return items;
  }

  attr(): Attr {
    if (this.accept('[')) return this.until(']', () => this.attr());
    const start = this.at;
    const text = this.take(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y);
    if (text === undefined) this.fail('a JSON value');
    try {
      return JSON.parse(text) as Attr;
    } catch {
      // It looked like one: "\x", 007
      this.at = start;
      this.fail('a JSON value');
    }
  }

  /** A quoted string, if one is next. */
  string(): string | undefined {
    this.space();
    return this.text.startsWith('"', this.at) ? (this.attr() as string) : undefined;
  }

  /** Nothing but blanks and a comment is left. */
  isDone(): boolean {
    return /^[ \t]*(\/\/.*)?$/.test(this.text.slice(this.at));
  }

  attrs(): Attrs {
    if (!this.accept('{')) return {};
    const entries = this.until('}', () => {
      const key = this.word('an attribute');
      this.expect('=');
      return [key, this.attr()] as const;
    });
    return Object.fromEntries(entries);
  }

  type(): TensorType {
    this.space();
    const dtype = dtypes.find((known) => this.accept(known));
    if (dtype === undefined) this.fail(`a dtype: ${dtypes.join(', ')}`);
    this.expect('[');
    const shape = this.until(']', (): Dim => {
      this.space();
      const start = this.at;
      const dim = parseDim(this.take(/\d*N?/y) ?? '');
      if (dim !== undefined) return dim;
      this.at = start;
      return this.fail('a dimension: a number, N or kN');
    });
    return { dtype, shape };
  }

  comment(): string {
    this.space();
    return (this.take(/\/\/.*$/y) ?? '').slice(2).trim();
  }

  end(): void {
    this.comment();
    if (this.at < this.text.length) this.fail('the end of the line');
  }
}

/** The place in a comment; a note behind it, or in its stead, is skipped. */
function parseLoc(comment: string): Loc {
  const place = comment.replace(/(^|\s*\/\/ )[a-z]+: .*$/, '');
  const match = /^(.*?)(?:(?:^| )at (.+))?$/.exec(place);
  const [layer, site] = [match?.[1], match?.[2]];
  return { ...(layer ? { layer } : {}), ...(site ? { site } : {}) };
}

function parseNode(cursor: Cursor): { node: Node; type: TensorType } {
  const name = cursor.name();
  cursor.expect('=');
  const op = cursor.word('an op');
  cursor.expect('(');
  const args = cursor.until(')', () => cursor.name());
  const attrs = cursor.attrs();
  cursor.expect(':');
  const type = cursor.type();
  const loc = parseLoc(cursor.comment());
  cursor.end();
  return { node: { name, op, args, attrs, type, loc }, type };
}

function parseOutput(cursor: Cursor): [string, Name] {
  cursor.space();
  const key = cursor.take(/[A-Za-z_][A-Za-z0-9_.:/-]*(?=\s*=)/y) ?? cursor.string();
  if (key !== undefined) cursor.expect('=');
  const name = cursor.name();
  return [key ?? name, name];
}

class Reader {
  private readonly graphs: Graph[] = [];
  private open: { name: string; nodes: Map<Name, Node>; aliases: Map<Name, Name> } | undefined;
  private aliasLines = new Map<Name, number>();
  private outputs: Record<string, Name> | undefined;

  constructor(
    private readonly dialect: Dialect,
    private readonly source: string,
  ) {}

  read(text: string): Graph[] {
    text.split(/\r?\n/).forEach((line, index) => {
      const cursor = new Cursor(line, index + 1, this.source);
      cursor.space();
      if (/^\s*(\/\/.*)?$/.test(line)) return;
      if (this.open === undefined) this.begin(cursor);
      else this.statement(cursor, line, index + 1);
    });
    if (this.open !== undefined) new Cursor('', text.split('\n').length, this.source).fail("'}'");
    return this.graphs;
  }

  private begin(cursor: Cursor): void {
    if (cursor.take(/graph(?=\s)/y) === undefined) cursor.fail("'graph @name {'");
    cursor.expect('@');
    const name = cursor.take(/[A-Za-z0-9_./:-]+/y) ?? cursor.fail('the name of a graph');
    cursor.expect('{');
    cursor.end();
    this.open = { name, nodes: new Map(), aliases: new Map() };
    this.aliasLines = new Map();
    this.outputs = undefined;
  }

  private statement(cursor: Cursor, line: string, number: number): void {
    if (this.outputs !== undefined) this.close(cursor, this.outputs);
    else if (/^\s*return\b/.test(line)) this.return(cursor, number);
    else if (/^\s*alias\b/.test(line)) this.alias(cursor, number);
    else if (/^\s*\}/.test(line)) cursor.fail("a 'return' before '}'");
    else this.node(cursor, number);
  }

  private close(cursor: Cursor, outputs: Record<string, Name>): void {
    cursor.expect('}');
    cursor.end();
    const graph = { ...this.open!, outputs };
    for (const [alias, number] of this.aliasLines) {
      if (resolveAlias(graph, alias) === undefined) {
        this.fail('RELC1006', number, `%${alias} is an alias of a value that is not defined`);
      }
    }
    this.graphs.push(graph);
    this.open = undefined;
  }

  private return(cursor: Cursor, number: number): void {
    cursor.take(/return/y);
    const outputs = new Map<string, Name>();
    while (!cursor.isDone()) {
      if (outputs.size > 0) cursor.expect(',');
      const [key, name] = parseOutput(cursor);
      if (outputs.has(key)) this.fail('RELC1006', number, `there are two outputs ${key}`);
      if (!this.open!.nodes.has(name)) {
        this.fail('RELC1006', number, `%${name} is returned but not defined`);
      }
      outputs.set(key, name);
    }
    this.outputs = Object.fromEntries(outputs);
  }

  private alias(cursor: Cursor, number: number): void {
    const { nodes, aliases } = this.open!;
    cursor.take(/alias/y);
    const alias = cursor.name();
    cursor.expect('=');
    const target = cursor.name();
    cursor.end();
    if (nodes.has(alias) || aliases.has(alias)) this.fail('RELC1006', number, `%${alias} is defined twice`);
    aliases.set(alias, target);
    this.aliasLines.set(alias, number);
  }

  private node(cursor: Cursor, number: number): void {
    const { node } = parseNode(cursor);
    const { nodes, aliases } = this.open!;
    if (nodes.has(node.name) || aliases.has(node.name))
      this.fail('RELC1006', number, `%${node.name} is defined twice`);
    const type = this.located(number, () =>
      inferType(this.dialect, node, (name) => nodes.get(name)?.type, node.type),
    );
    if (!sameType(type, node.type)) {
      const says = `%${node.name} = ${node.op} is ${printType(type)}, but the text says ${printType(node.type)}`;
      this.fail('RELC1004', number, says);
    }
    nodes.set(node.name, node);
  }

  private fail(code: 'RELC1004' | 'RELC1006', number: number, detail: string): never {
    throw new RelcError(code, `${this.source}:${number}: ${detail}`);
  }

  private located<Result>(number: number, action: () => Result): Result {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof RelcError)) throw error;
      throw new RelcError(error.code, `${this.source}:${number}: ${error.detail}`, error.hint);
    }
  }
}

/**
 * All graphs of a text, each node checked as it is read.
 * @param source  the name that messages give the text
 * @throws RelcError RELC1001..RELC1007 with `source:line`
 */
export function parseAll(text: string, dialect: Dialect, source = 'text'): Graph[] {
  return new Reader(dialect, source).read(text);
}

/** The one graph of a text. @throws RelcError as {@link parseAll}, and RELC1001 unless there is exactly one */
export function parse(text: string, dialect: Dialect, source = 'text'): Graph {
  const graphs = parseAll(text, dialect, source);
  if (graphs.length !== 1) {
    throw new RelcError('RELC1001', `${source}: expected one graph, got ${graphs.length}`);
  }
  return graphs[0]!;
}
