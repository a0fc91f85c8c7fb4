// relc explain: one input through one model, to a heatmap in the terminal; or many, to a folder.
import { type Arguments, type Command, usageError } from '../arguments.js';
import { explanationOptions } from '../explanation-options.js';
import { write } from '../files.js';
import { saveFiles } from '../heatmaps.js';
import { type InputList, inputListOf } from '../input-list.js';
import { interruptible } from '../interrupt.js';
import { explainMany } from '../many.js';
import { methods } from '../method.js';
import { manifestBeside } from '../model.js';
import { patchOptions } from '../patches/options.js';
import { disposeAll, prepare, subjectOf } from '../prepare.js';
import { readingOptions } from '../reading.js';
import { printReport, reportOf } from '../report.js';
import { requestOptions } from '../request.js';
import { progressBar, type Terminal } from '../terminal.js';

const refuse = (detail: string) => usageError(detail, explainCommand);

/** @throws RelcError RELC5001 where nothing is to be explained, or one input is resumed */
function expectInputs(given: Arguments, { paths, isOne, text }: InputList): void {
  if (text !== undefined) {
    if (given.flag('resume')) throw refuse('--resume goes on with many inputs, and a text is given');
    return;
  }
  if (given.rest(1).length === 0 && given.text('list') === undefined) {
    throw refuse(`the arguments are ${given.positional(0)}, expected MODEL INPUT...`);
  }
  if (paths.length === 0) throw refuse(`--list ${given.text('list')} names no inputs`);
  if (isOne && given.flag('resume')) {
    throw refuse('--resume goes on with many inputs, and one is named');
  }
}

/** What the files of a folder are: texts, where a tokenizer is known. */
async function kindOfInputs(given: Arguments): Promise<'text' | 'picture'> {
  if (given.text('tokenizer') !== undefined) return 'text';
  const { tokenizer } = await manifestBeside(given.positional(0));
  return tokenizer === undefined ? 'picture' : 'text';
}

async function explainOne(given: Arguments, list: InputList, terminal: Terminal): Promise<void> {
  const prepared = await prepare(given, list, refuse);
  try {
    const [model, input] = [given.positional(0), list.text ?? given.positional(1)];
    const source = list.text === undefined ? input : { text: list.text };
    const { watch, method } = prepared;
    const onProgress = progressBar(terminal, method ?? 'explain');
    const subject = await subjectOf(prepared, source, { watch, onProgress });
    const usual = given.flag('json') ? undefined : { picture: 'heat.png', page: 'why.html' };
    const origin = { model, input: list.text === undefined ? input : undefined };
    const [out, arrays] = [given.text('out'), given.text('save-relevance')];
    const files = await saveFiles(subject, { out, arrays, usual, origin, save: write });
    if (given.flag('json'))
      terminal.out(JSON.stringify(reportOf(subject, { model, input, files }), undefined, 2));
    else printReport(terminal, subject, files);
  } finally {
    disposeAll(prepared.explainers);
  }
}

export const explainCommand: Command = {
  name: 'explain',
  positionals: ['MODEL', 'INPUT...'],
  summary: 'explain predictions: which parts of the input spoke for the class, and which against',
  description: `MODEL is a TensorFlow.js model.json (layers or graph), a module that exports a function on tensors,
or a graph text (.relc). INPUT is a PNG or JPEG, a .npy array or JSON, or a folder of them. Pictures are resized to
the model's input. With --tokenizer it can be a text: --text, or .txt files; words come out in colours, in the terminal
and as a page. A file relc.json beside the model (size, scale, labels, rules, tokenizer) spares the options.

What is explained: the top class, or --class, also several side by side. --against tells what speaks for the
class and not for another one. Relevance starts at the scores before a final softmax: at the class's score (logit),
at 1 (one), at all scores (outputs), at the difference of two (contrast), or at numbers of your own.

Many inputs, or a folder of them, go to a folder: heatmaps, and results.jsonl with a line for each input as soon as it
is done. An input that fails does not stop the rest; the exit code is 4 then, and 130 after an interrupt. --resume goes
on where a run was stopped.`,
  options: {
    ...explanationOptions,
    rules: {
      ...explanationOptions.rules,
      help: `${explanationOptions.rules.help};\nseveral are shown side by side: epsilon,gradient`,
    },
    ...requestOptions,
    ...readingOptions,
    method: {
      type: 'string',
      value: 'NAME',
      help: `run the explainer many times: ${methods.join(' or ')}\n(rules gradient, if none are named)`,
    },
    samples: { type: 'string', value: 'N', help: 'how many times (default 20)' },
    ...patchOptions,
    out: {
      type: 'string',
      short: 'o',
      value: 'FILE|DIR',
      help: 'where the heatmap goes (default heat.png), or the page of a text (why.html);\nwith many inputs a folder (default heat)',
    },
    'save-relevance': {
      type: 'string',
      value: 'FILE|DIR',
      help: 'save the relevance of every element as .npy, a row for each class;\nwith many inputs a folder',
    },
    json: {
      type: 'boolean',
      help: 'print a JSON report instead; writes a heatmap or page only with -o.\nWith many inputs: the lines of results.jsonl, too',
    },
    list: {
      type: 'string',
      value: 'FILE',
      help: 'more inputs, a path a line, from the folder of the list (- is standard input);\nlines that begin with # are skipped',
    },
    resume: {
      type: 'boolean',
      help: 'go on with many inputs: skip those that stand in results.jsonl as explained',
    },
  },
  examples: [
    'relc explain model/model.json photo.jpg --scale 1/127.5,-1 --labels labels.txt -o heat.png',
    'relc explain model/model.json photo.jpg --rules epsilon-plus-flat --class tulips,roses',
    'relc explain model/model.json photo.jpg --class tulips --against roses',
    'relc explain model/model.json photo.jpg --rules grad-cam --layer block3',
    'relc explain model/model.json photo.jpg --method smooth-grad --samples 50',
    'relc explain model/model.json --text "A wonderful little film." --tokenizer tokenizer.json -o why.html',
    'relc explain model/model.json review.txt --class positive,negative --rules epsilon,gradient',
    'relc explain model/model.json pictures -o heat',
    'relc explain model/model.json pictures -o heat --resume',
    'relc explain model/model.json --list pictures.txt --save-relevance relevance --json',
    'relc explain net.relc x.npy --at h1 --save-relevance r.npy --json',
  ],
  async run(given, terminal) {
    const list = await inputListOf(given, await kindOfInputs(given));
    expectInputs(given, list);
    if (list.isOne) await explainOne(given, list, terminal);
    else await interruptible(terminal, (signal) => explainMany(given, list, { refuse, terminal, signal }));
  },
};
