// Emission: a plan as a readable, typed module of tfjs calls, assembled and checked with ts-morph.
import { readFile } from 'node:fs/promises';
import type { CodeBlockWriter, Project, SourceFile } from 'ts-morph';
import { RelcError } from '../../ir/error.js';
import { type Name, type Node, printLoc } from '../../ir/graph.js';
import { shapeOf } from '../../ir/spelling.js';
import { batchMultiple, printType } from '../../ir/type.js';
import type { Plan, Statement } from './plan.js';
import { Identifiers, literalText, printExpression } from './print.js';

export interface EmitOptions {
  /** What the module's head says: model, rules, tool. */
  readonly title: string;
  readonly details: readonly string[];
  /** Inputs that are arguments of their own, behind the others. */
  readonly parameters: readonly Parameter[];
}

/** An input of the graph that is an argument of `explain` of its own. */
export interface Parameter {
  readonly input: Name;
  /** What the argument is called. */
  readonly name: string;
  /** A sentence for the doc comment. */
  readonly doc: string;
  /** What each element is where the argument is left out; it must be given if there is none. */
  readonly otherwise?: number;
}

/** Files of an emitted explainer by name, text each. */
export type EmittedFiles = Readonly<Record<string, string>>;

const runtimeSource = new URL('../../../src/codegen/typescript/runtime.ts', import.meta.url);

/** Text for one line of comment. */
const inLine = (text: string) => text.replace(/\s+/g, ' ');

/** The origin of a line: the node as dumps print it, and its place. */
function originOf(node: Node): string {
  const place = printLoc(node.loc);
  return inLine(`%${node.name}: ${printType(node.type)}${place === '' ? '' : ` ${place}`}`);
}

class Module {
  private readonly identifiers = new Identifiers();

  constructor(
    private readonly plan: Plan,
    private readonly options: EmitOptions,
  ) {}

  /** The inputs that are arguments of their own, those that must be given first. */
  private get parameters(): readonly Parameter[] {
    const { inputs } = this.plan;
    const own = this.options.parameters.filter(({ input }) => inputs.some(({ name }) => name === input));
    return own.sort((a, b) => Number(a.otherwise !== undefined) - Number(b.otherwise !== undefined));
  }

  private get inputs(): readonly Node[] {
    const own = new Set(this.parameters.map(({ input }) => input));
    return this.plan.inputs.filter((node) => !own.has(node.name));
  }

  addTo(project: Project): SourceFile {
    const file = project.createSourceFile('explainer.ts', '', { overwrite: true });
    const { title, details } = this.options;
    file.addImportDeclaration({ moduleSpecifier: '@tensorflow/tfjs', namespaceImport: 'tf' });
    file.addImportDeclaration({ moduleSpecifier: './runtime.js', namespaceImport: 'rt' });
    this.addTypes(file);
    this.addLoad(file);
    this.addExplain(file);
    file.insertText(0, [title, ...details].map((line) => `// ${inLine(line)}\n`).join(''));
    return file;
  }

  private addTypes(file: SourceFile): void {
    file.addInterface({
      name: 'Inputs',
      isExported: true,
      docs: ['What is explained; the batch stands in front.'],
      properties: this.inputs.map((node) => ({
        name: quoted(node.name),
        type: 'tf.Tensor',
        docs: [printType(node.type)],
      })),
    });
    file.addInterface({
      name: 'Explanation',
      isExported: true,
      docs: ['Tensors for the caller to dispose of.'],
      properties: Object.entries(this.plan.graph.outputs).map(([key, name]) => ({
        name: quoted(key),
        type: 'tf.Tensor',
        docs: [printType(this.plan.graph.nodes.get(name)!.type)],
      })),
    });
    file.addInterface({
      name: 'Constants',
      isExported: true,
      docs: ['Weights, and what is computed from weights alone, by name.'],
      properties: this.plan.kept.map((name) => ({ name: this.identifiers.of(name), type: 'tf.Tensor' })),
    });
  }

  private addLoad(file: SourceFile): void {
    file.addFunction({
      name: 'load',
      isExported: true,
      docs: [
        'Reads weights.safetensors and computes, once, what depends on weights alone. Dispose of the result with tf.dispose.',
      ],
      parameters: [{ name: 'bytes', type: 'ArrayBuffer | Uint8Array' }],
      returnType: 'Constants',
      statements: (writer) => {
        writer.write('return tf.tidy(() => ').inlineBlock(() => {
          writer.writeLine('const weights = rt.readWeights(bytes);');
          for (const { name, key } of this.plan.params) {
            writer.writeLine(`const ${this.identifiers.of(name)}: tf.Tensor = weights${member(key)}!;`);
          }
          this.writeStatements(writer, this.plan.load);
          writer.write('return ');
          this.writeKept(writer);
          writer.write(';').newLine();
        });
        writer.write(');').newLine();
      },
    });
  }

  private addExplain(file: SourceFile): void {
    const batched = this.inputs.find((node) => batchMultiple(node.type.shape[0] ?? 1) !== undefined);
    file.addFunction({
      name: 'explain',
      isExported: true,
      docs: [['Forward pass and relevance.', ...this.parameters.map(({ doc }) => doc)].join(' ')],
      parameters: [
        { name: 'constants', type: 'Constants' },
        { name: 'inputs', type: 'Inputs' },
        ...this.parameters.map(({ name, otherwise }) => ({
          name,
          type: 'tf.Tensor',
          hasQuestionToken: otherwise !== undefined,
        })),
      ],
      returnType: 'Explanation',
      statements: (writer) => {
        writer.write('return tf.tidy(() => ').inlineBlock(() => {
          if (batched !== undefined) this.writeBatch(writer, batched);
          writer.write('const ');
          this.writeKept(writer);
          writer.write(' = constants;').newLine();
          for (const node of this.inputs) {
            writer.writeLine(
              `const ${this.identifiers.of(node.name)}: tf.Tensor = inputs${member(node.name)};`,
            );
          }
          for (const parameter of this.parameters) this.writeParameter(writer, parameter);
          this.writeStatements(writer, this.plan.run);
          this.writeOutputs(writer);
        });
        writer.write(');').newLine();
      },
    });
  }

  private writeBatch(writer: CodeBlockWriter, batched: Node): void {
    const multiple = batchMultiple(batched.type.shape[0]!)!;
    const rows = `inputs${member(batched.name)}.shape[0]!`;
    writer.writeLine(`const batch = ${multiple === 1 ? rows : `${rows} / ${multiple}`};`);
  }

  private writeParameter(writer: CodeBlockWriter, { input, name, otherwise }: Parameter): void {
    const { type } = this.plan.inputs.find((node) => node.name === input)!;
    const dtype = type.dtype === 'i32' ? "'int32'" : "'float32'";
    const shape = printExpression(shapeOf(type.shape), this.identifiers);
    const usual = otherwise === undefined ? '' : ` ?? tf.fill(${shape}, ${otherwise}, ${dtype})`;
    writer.writeLine(`const ${this.identifiers.of(input)}: tf.Tensor = ${name}${usual};`);
  }

  private writeStatements(writer: CodeBlockWriter, statements: readonly Statement[]): void {
    for (const { node, expression, dead } of statements) {
      const text = printExpression(expression, this.identifiers);
      const name = this.identifiers.of(node.name);
      writer.writeLine(`const ${name}: tf.Tensor = ${text}; // ${originOf(node)}`);
      if (dead.length > 0)
        writer.writeLine(`tf.dispose([${dead.map((value) => this.identifiers.of(value)).join(', ')}]);`);
    }
  }

  /** `{ a, b }`, one a line. */
  private writeKept(writer: CodeBlockWriter): void {
    writer.inlineBlock(() => {
      for (const name of this.plan.kept) writer.writeLine(`${this.identifiers.of(name)},`);
    });
  }

  private writeOutputs(writer: CodeBlockWriter): void {
    writer.write('return ').inlineBlock(() => {
      for (const [key, name] of Object.entries(this.plan.graph.outputs)) {
        writer.writeLine(`${quoted(key)}: tf.clone(${this.identifiers.of(name)}),`);
      }
    });
    writer.write(';').newLine();
  }
}

const isPlain = (key: string) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(key);

/** A key of an object literal or an interface. */
const quoted = (key: string) => (isPlain(key) ? key : literalText(key));

/** The access to a property: `.x`, or `['relevance.x']`. */
const member = (key: string) => (isPlain(key) ? `.${key}` : `[${literalText(key)}]`);

/** Type errors of a project, as text; none is the only acceptable result. */
function diagnosticsOf(project: Project): string[] {
  return project.getPreEmitDiagnostics().map((diagnostic) => {
    const text = diagnostic.getMessageText();
    const message = typeof text === 'string' ? text : text.getMessageText();
    return `${diagnostic.getSourceFile()?.getBaseName() ?? 'project'}:${diagnostic.getLineNumber() ?? 0}: ${message}`;
  });
}

/**
 * Writes a plan as `explainer.ts` (one line a node, each with its origin), `runtime.ts`, and both compiled to
 * JavaScript; `weights.safetensors` stands beside them.
 * @throws RelcError RELC4005 where the module does not type-check: a defect of the compiler
 */
export async function emitTypeScript(plan: Plan, options: EmitOptions): Promise<EmittedFiles> {
  const { IndentationText, ModuleKind, ModuleResolutionKind, Project, QuoteKind, ScriptTarget } =
    await import('ts-morph');
  const project = new Project({
    compilerOptions: {
      target: ScriptTarget.ES2022,
      module: ModuleKind.NodeNext,
      moduleResolution: ModuleResolutionKind.NodeNext,
      strict: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
      types: [],
      declaration: true,
    },
    manipulationSettings: { indentationText: IndentationText.TwoSpaces, quoteKind: QuoteKind.Single },
    skipAddingFilesFromTsConfig: true,
  });
  project.createSourceFile('runtime.ts', await readFile(runtimeSource, 'utf8'), { overwrite: true });
  const file = new Module(plan, options).addTo(project);
  const problems = diagnosticsOf(project);
  if (problems.length > 0) {
    throw new RelcError('RELC4005', problems.slice(0, 5).join('\n'), 'this is a defect of the compiler');
  }
  const emitted = project.emitToMemory().getFiles();
  const outputs = emitted.map(({ filePath, text }) => [filePath.split('/').at(-1)!, text] as const);
  const wanted = outputs.filter(([name]) => /^(explainer|runtime)\.(js|d\.ts)$/.test(name));
  return {
    'explainer.ts': file.getFullText(),
    'runtime.ts': await readFile(runtimeSource, 'utf8'),
    ...Object.fromEntries(wanted),
  };
}
