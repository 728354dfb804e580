// Layer 1. A transfer's sequence diagram as SVG: time runs downward, the sender stands on the left with its window
// beside it, the receiver on the right. Pure. Made to be printed: what colours say, dashes and words say too.

import { type Arrow, type Diagram, formatMs, isHalf, labelOf, type Note, startOf, wrapWords } from './gbn-plot.ts';
import { printable } from './printable.ts';

export interface SvgOptions {
  readonly title: string;
  /** Such as `window 16` or `5 % lost`. */
  readonly parameters?: readonly string[];
}

const WIDTH = 900;
/** Of the notes, the scale, the window, the two lifelines. */
const X = { notes: 12, scale: 208, window: 218, sender: 320, receiver: 860, middle: 590 };
const WINDOW_WIDTH = 84;
const LINE_HEIGHT = 16;
const HEAD_HEIGHT = 26;
/** For each arrow, and for all of them. */
const PACKET_HEIGHT = { least: 6, most: 21 };
const LEAST_HEIGHT = 420;
const MOST_HEIGHT = 6000;
/** Two labels don't stand closer. */
const LABEL_HEIGHT = 11;
/** From the points of arrows that end where it stands. */
const LABEL_GAP = 11;
const TICK_HEIGHT = 60;
const CHAR_WIDTH = 5.6;
const MAX_TITLE_CHARS = 120;
const MAX_PARAMETER_CHARS = 60;
const MAX_PARAMETERS = 20;
const LINE_CHARS = 130;

/** How a packet is drawn, and what that means. */
interface Style {
  readonly name: string;
  readonly meaning: string;
  readonly colour: string;
  readonly dash: string;
}

const STYLES = {
  first: { name: 'first', meaning: 'sent for the first time', colour: '#1b4f8a', dash: '' },
  again: { name: 'again', meaning: 'sent again', colour: '#b8500b', dash: '7 3' },
  repair: { name: 'repair', meaning: 'repair packet', colour: '#5b2d82', dash: '2 3' },
  ack: { name: 'ack', meaning: 'from the receiver', colour: '#3d3d3d', dash: '' },
} as const satisfies Record<string, Style>;

export function renderSvg(diagram: Diagram, options: SvgOptions): string {
  const head = headLines(diagram, options);
  const top = HEAD_HEIGHT + head.length * LINE_HEIGHT + 4 * LINE_HEIGHT;
  const canvas = new Canvas(diagram, top);
  const height = Math.ceil(top + canvas.height + 2 * LINE_HEIGHT);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="Helvetica, Arial, sans-serif" font-size="10">`,
    `<title>${escapeXml(clip(options.title, MAX_TITLE_CHARS))}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    ...headText(options, head),
    ...legend(HEAD_HEIGHT + head.length * LINE_HEIGHT + 6),
    ...canvas.draw(),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

// --- words ------------------------------------------------------------------------------------------------

/** What XML can't hold is shown as a character that stands for such. */
export function escapeXml(text: string): string {
  return printable(text.toWellFormed())
    .replace(/[\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function clip(text: string, maxChars: number): string {
  const chars = [...text.replace(/\s+/g, ' ')];
  return chars.length <= maxChars ? chars.join('') : `${chars.slice(0, maxChars - 1).join('')}…`;
}

function headLines({ arrows, fromMs, toMs, remarks }: Diagram, { parameters = [] }: SvgOptions): string[] {
  const shown = parameters.slice(0, MAX_PARAMETERS).map((one) => clip(one, MAX_PARAMETER_CHARS));
  const resent = arrows.filter(({ isResent }) => isResent).length;
  const isKnown = !arrows.every(isHalf);
  const lost = isKnown ? `, ${arrows.filter(({ isLost }) => isLost).length} lost` : '';
  const sum = `${arrows.length} packets, ${resent} sent again${lost}, ${formatMs(fromMs)} to ${formatMs(toMs)}`;
  return [shown.join(', '), sum, ...remarks].flatMap((line) => wrapWords(line, LINE_CHARS));
}

function headText({ title }: SvgOptions, lines: readonly string[]): string[] {
  const texts = lines.map((line, at) => text(X.notes, HEAD_HEIGHT + (at + 1) * LINE_HEIGHT, line));
  return [text(X.notes, HEAD_HEIGHT - 4, clip(title, MAX_TITLE_CHARS), 'font-size="15" font-weight="bold"'), ...texts];
}

function legend(top: number): string[] {
  const styles = Object.values(STYLES);
  const lines = styles.flatMap((style, at) => {
    const x = X.notes + 150 * at;
    return [line(x, top + 8, x + 26, top + 8, style), text(x + 32, top + 12, style.meaning)];
  });
  const x = X.notes + 150 * styles.length;
  const y = top + LINE_HEIGHT;
  return [
    ...lines,
    ...cross(x + 13, top + 8),
    text(x + 32, top + 12, 'lost on the way'),
    windowBox(X.notes, y + 3, 26, 10),
    text(X.notes + 32, y + 12, "the sender's window, first–last"),
    marker(X.notes + 310, y + 8),
    text(X.notes + 332, y + 12, 'the sender goes back, and why'),
  ];
}

// --- shapes -----------------------------------------------------------------------------------------------

function number(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function text(x: number, y: number, what: string, attributes = ''): string {
  return `<text x="${number(x)}" y="${number(y)}"${attributes && ` ${attributes}`}>${escapeXml(what)}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, { colour, dash }: Style): string {
  const dashes = dash && ` stroke-dasharray="${dash}"`;
  return `<line x1="${number(x1)}" y1="${number(y1)}" x2="${number(x2)}" y2="${number(y2)}" stroke="${colour}"${dashes}/>`;
}

/** The point of an arrow that has gone from one point to the other. */
function point(x1: number, y1: number, x2: number, y2: number, { colour, name }: Style): string {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const [dx, dy] = [((x2 - x1) / length) * 7, ((y2 - y1) / length) * 7];
  const wings = [x2 - dx - dy / 2, y2 - dy + dx / 2, x2, y2, x2 - dx + dy / 2, y2 - dy - dx / 2].map(number).join(' ');
  // that of an ack is open
  return `<polyline points="${wings}" stroke="${colour}" fill="${name === 'ack' ? 'none' : colour}"/>`;
}

function cross(x: number, y: number): string[] {
  const style = { name: 'lost', meaning: '', colour: '#a00000', dash: '' };
  return [line(x - 4, y - 4, x + 4, y + 4, style), line(x - 4, y + 4, x + 4, y - 4, style)];
}

function windowBox(x: number, y: number, width: number, height: number): string {
  return `<rect x="${number(x)}" y="${number(y)}" width="${number(width)}" height="${number(height)}" fill="#e6eef7" stroke="#8aa4c2" stroke-width="0.5"/>`;
}

function marker(x: number, y: number): string {
  const points = [x, y - 5, x + 10, y, x, y + 5].map(number).join(' ');
  return `<polygon points="${points}" fill="#b8500b"/>`;
}

// --- the diagram ------------------------------------------------------------------------------------------

/** An arrow with its ends, in the order in which it is read. */
interface Placed {
  readonly arrow: Arrow;
  readonly style: Style;
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
}

class Canvas {
  readonly #diagram: Diagram;
  readonly #top: number;
  readonly height: number;
  readonly #perMs: number;

  constructor(diagram: Diagram, top: number) {
    this.#diagram = diagram;
    this.#top = top;
    this.height = heightOf(diagram);
    this.#perMs = this.height / (diagram.toMs - diagram.fromMs);
  }

  draw(): string[] {
    const placed = this.#diagram.arrows.map((arrow) => this.#place(arrow));
    return [
      ...this.#scale(),
      ...this.#windows(),
      ...this.#lifelines(),
      ...placed.flatMap((one) => drawArrow(one)),
      ...drawLabels(placed),
      ...this.#notes(),
    ];
  }

  #y(ms: number): number {
    return this.#top + (ms - this.#diagram.fromMs) * this.#perMs;
  }

  #lifelines(): string[] {
    const [top, end] = [this.#top - 6, this.#top + this.height + 10];
    const style: Style = { name: '', meaning: '', colour: '#000000', dash: '' };
    const bold = 'font-size="12" font-weight="bold" text-anchor="middle"';
    return [
      line(X.sender, top, X.sender, end, style),
      line(X.receiver, top, X.receiver, end, style),
      text(X.sender, top - 6, 'sender', bold),
      text(X.receiver, top - 6, 'receiver', bold),
      text(X.window + WINDOW_WIDTH / 2, top - 6, 'window', 'text-anchor="middle"'),
      text(X.scale, top - 6, 'ms', 'text-anchor="end"'),
    ];
  }

  #scale(): string[] {
    const { fromMs, toMs } = this.#diagram;
    const step = roundStep(TICK_HEIGHT / this.#perMs);
    const parts: string[] = [];
    for (let at = Math.ceil(fromMs / step); at * step <= toMs; at++) {
      const y = this.#y(at * step);
      parts.push(text(X.scale, y + 3, formatMs(at * step).slice(0, -3), 'text-anchor="end" fill="#555555"'));
      parts.push(`<line x1="${X.window}" y1="${number(y)}" x2="${X.receiver}" y2="${number(y)}" stroke="#e4e4e4"/>`);
    }
    return parts;
  }

  #windows(): string[] {
    const { windows, toMs } = this.#diagram;
    const boxes: string[] = [];
    const labels: string[] = [];
    let labelled = Number.NEGATIVE_INFINITY;
    for (const [place, { at, first, last }] of windows.entries()) {
      const [y, end] = [this.#y(at), this.#y(windows[place + 1]?.at ?? toMs)];
      boxes.push(windowBox(X.window, y, WINDOW_WIDTH, end - y));
      if (y - labelled < LABEL_HEIGHT) continue;
      labelled = y;
      const label = last < first ? 'empty' : `${first}–${last}`;
      labels.push(text(X.window + WINDOW_WIDTH / 2, y + 9, label, 'text-anchor="middle" font-size="9"'));
    }
    return [...boxes, ...labels];
  }

  #notes(): string[] {
    let last = Number.NEGATIVE_INFINITY;
    return this.#diagram.notes.flatMap(({ at, text: said }: Note) => {
      const y = this.#y(at);
      const mark = marker(X.sender - 11, y);
      if (y - last < LABEL_HEIGHT) return [mark];
      last = y;
      const leader = line(X.notes + said.length * 6 + 8, y, X.sender - 12, y, STYLES.repair);
      return [leader, mark, text(X.notes, y + 3, said, 'font-weight="bold"')];
    });
  }

  #place(arrow: Arrow): Placed {
    const [near, far] = arrow.isFromSender ? [X.sender, X.receiver] : [X.receiver, X.sender];
    const { leftAt, arrivedAt } = arrow;
    const quarter = this.#diagram.oneWayMs / 2;
    const start = startOf(arrow);
    const style = styleOf(arrow);
    if (leftAt !== undefined && arrivedAt !== undefined) {
      return { arrow, style, from: [near, this.#y(leftAt)], to: [far, this.#y(arrivedAt)] };
    }
    if (leftAt === undefined)
      return { arrow, style, from: [X.middle, this.#y(start - quarter)], to: [far, this.#y(start)] };
    return { arrow, style, from: [near, this.#y(start)], to: [X.middle, this.#y(start + quarter)] };
  }
}

function styleOf({ kind, isFromSender, isResent }: Arrow): Style {
  if (!isFromSender) return STYLES.ack;
  if (isResent) return STYLES.again;
  return kind === 'repair' ? STYLES.repair : STYLES.first;
}

function drawArrow({ arrow, style, from, to }: Placed): string[] {
  const [x1, y1] = from;
  const [x2, y2] = to;
  const shaft = line(x1, y1, x2, y2, style);
  if (arrow.isLost) return [shaft, ...cross(x2, y2)];
  // one that is seen no more half way has no point
  return isHalf(arrow) && arrow.arrivedAt === undefined ? [shaft] : [shaft, point(x1, y1, x2, y2, style)];
}

/** Each beside its own lifeline; those that would stand on each other become one. */
function drawLabels(placed: readonly Placed[]): string[] {
  return [true, false].flatMap((isFromSender) => {
    const labels: Array<{ y: number; first: Placed; last: Placed; count: number }> = [];
    for (const one of placed) {
      if (one.arrow.isFromSender !== isFromSender) continue;
      const y = labelY(one);
      const before = labels.at(-1);
      if (before && Math.abs(y - before.y) < LABEL_HEIGHT) {
        before.last = one;
        before.count++;
      } else labels.push({ y, first: one, last: one, count: 1 });
    }
    return labels.map(({ y, first, last, count }) => drawLabel(y, first, last, count));
  });
}

/** Where it leaves, or half way. */
function labelY({ from }: Placed): number {
  return from[1];
}

function drawLabel(y: number, first: Placed, last: Placed, count: number): string {
  const { arrow, style } = first;
  const said = count === 1 ? labelOf(arrow) : labelOfMany(arrow, last.arrow, count);
  const isRight = first.from[0] > X.middle;
  const x = isRight ? X.receiver - LABEL_GAP : first.from[0] + LABEL_GAP;
  const width = said.length * CHAR_WIDTH;
  const left = isRight ? x - width : x;
  const anchor = isRight ? ' text-anchor="end"' : '';
  // on white, so that it can be read across the lines
  const ground = `<rect x="${number(left - 1)}" y="${number(y - 4)}" width="${number(width + 2)}" height="10" fill="#ffffff" fill-opacity="0.85"/>`;
  return `${ground}${text(x, y + 4, said, `fill="${style.colour}"${anchor}`)}`;
}

function labelOfMany(first: Arrow, last: Arrow, count: number): string {
  const isRun =
    first.kind === last.kind && Math.abs(last.seq - first.seq) === count - 1 && first.isResent === last.isResent;
  if (first.kind === last.kind && first.seq === last.seq) return `${labelOf(first)} ×${count}`;
  if (isRun) return `${first.kind} ${first.seq}–${last.seq}${first.isResent ? ' again' : ''}`;
  return `${labelOf(first)} … ${labelOf(last)} (${count})`;
}

/** Such that most packets which follow each other can have labels of their own. */
function heightOf({ arrows, fromMs, toMs }: Diagram): number {
  const gaps = [true, false].flatMap((side) => gapsOf(arrows.filter(({ isFromSender }) => isFromSender === side)));
  const gap = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 4)] ?? toMs - fromMs;
  const wanted = ((toMs - fromMs) / gap) * (LABEL_HEIGHT + 1);
  const { least, most } = PACKET_HEIGHT;
  const fitting = Math.min(Math.max(wanted, arrows.length * least), arrows.length * most);
  return Math.min(Math.max(fitting, LEAST_HEIGHT), MOST_HEIGHT);
}

function gapsOf(arrows: readonly Arrow[]): number[] {
  return arrows
    .slice(1)
    .map((arrow, at) => startOf(arrow) - startOf(arrows[at] as Arrow))
    .filter((gap) => gap > 0);
}

/** The next 1, 2 or 5 times a power of ten. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 0.001)));
  const factor = [1, 2, 5, 10].find((one) => one * power >= least) ?? 10;
  return factor * power;
}
