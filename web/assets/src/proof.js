// Checks the bytes of a decision log by itself: spelling (RFC 8785), numbers, hash chain and Merkle tree (RFC 9162).
const BATCH = 2000;
const NO_HASH = "0".repeat(64);

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const digest = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

function prefixed(byte, ...parts) {
  const whole = new Uint8Array(1 + parts.reduce((size, part) => size + part.length, 0));
  whole[0] = byte;
  let place = 1;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}

const leafHash = (line) => digest(prefixed(0, line));
const nodeHash = (left, right) => digest(prefixed(1, left, right));

// The tree over leaves as they come: of each level at most one subtree waits for the one to its right.
export class Tree {
  #waiting = [];
  size = 0;

  async add(leaves) {
    this.size += leaves.length;
    let nodes = leaves;
    for (let level = 0; nodes.length; level += 1) {
      if (this.#waiting[level]) nodes = [this.#waiting[level], ...nodes];
      this.#waiting[level] = nodes.length % 2 ? nodes.at(-1) : null;
      const pairs = Math.floor(nodes.length / 2);
      nodes = await Promise.all(Array.from({ length: pairs }, (_, i) => nodeHash(nodes[2 * i], nodes[2 * i + 1])));
    }
  }

  async root() {
    let root = null;
    for (const subtree of this.#waiting) {
      if (subtree) root = root ? await nodeHash(subtree, root) : subtree;
    }
    return root ?? digest(new Uint8Array());
  }
}

// As RFC 8785 spells a value; the log holds no fractions.
export function spelled(value) {
  if (Array.isArray(value)) return `[${value.map(spelled).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const fields = Object.keys(value).sort();
    return `{${fields.map((name) => `${JSON.stringify(name)}:${spelled(value[name])}`).join(",")}}`;
  }
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new SyntaxError("a number that is not whole");
  return JSON.stringify(value);
}

class Fault extends Error {
  constructor(seq, reason) {
    super(reason);
    this.seq = seq;
  }
}

function envelopeOf(seq, raw) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
    const envelope = JSON.parse(text);
    if (spelled(envelope) === text && typeof envelope.prev === "string") return envelope;
  } catch {
    throw new Fault(seq, "it is not a record in canonical JSON");
  }
  throw new Fault(seq, "it is not a record in canonical JSON");
}

function splitLines(first, bytes) {
  const lines = [];
  let start = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  if (start < bytes.length) throw new Fault(first + lines.length, "its line end is missing");
  return lines;
}

// A link that does not hold is blamed on the line that was changed: where the line after still links to this one, this
// one is as it was, and the one before was changed.
function linkFault(seq, hash, following) {
  let intact = false;
  try {
    intact = following !== undefined && JSON.parse(new TextDecoder().decode(following)).prev === hash;
  } catch {
    intact = false;
  }
  return new Fault(intact ? seq - 1 : seq, `record ${seq} does not link to the record before it`);
}

// Reads lines from `first` on by `read(seq, limit)`, which gives their bytes, and checks each. `sizes` are those of trees
// whose roots are wanted; `seen(seq, hash)` is told each hash. Throws a Fault with the first bad record's number.
export async function check({ first, read, sizes, seen }) {
  const tree = new Tree();
  const roots = new Map();
  let seq = first;
  let before = first ? null : NO_HASH;
  let logId = null;
  let leaves = new Uint8Array(0);
  for (;;) {
    const bytes = await read(seq, BATCH);
    if (!bytes.length) return { records: seq - first, head: before ?? NO_HASH, roots, tree };
    const lines = splitLines(seq, bytes);
    const hashes = (await Promise.all(lines.map(digest))).map(hex);
    const fresh = await Promise.all(lines.map(leafHash));
    leaves = room(leaves, seq - first, fresh);
    for (const [place, raw] of lines.entries()) {
      const number = seq + place;
      const envelope = envelopeOf(number, raw);
      if (envelope.seq !== number) throw new Fault(number, `it has the number ${envelope.seq}`);
      if (before !== null && envelope.prev !== before) {
        const following = lines[place + 1] ?? splitLines(number + 1, await read(number + 1, 1))[0];
        throw linkFault(number, hashes[place], following);
      }
      if (logId !== null && envelope.log_id !== logId) throw new Fault(number, "it is a record of another log");
      const refs = envelope.refs ?? [];
      if (!Array.isArray(refs) || !refs.every((ref) => names(ref, number, first, leaves))) {
        throw new Fault(number, "it names an earlier record by another leaf hash than that record has");
      }
      logId = envelope.log_id;
      before = hashes[place];
      seen(number, before);
    }
    if (!first) await grow(tree, fresh, sizes, roots);
    seq += lines.length;
  }
}

// The 32 bytes of each leaf hash so far, with `fresh` ones after the first `count`; doubled when it is full.
function room(leaves, count, fresh) {
  const size = 32 * (count + fresh.length);
  const held = size > leaves.length ? new Uint8Array(2 * size) : leaves;
  if (held !== leaves) held.set(leaves);
  fresh.forEach((leaf, place) => held.set(leaf, 32 * (count + place)));
  return held;
}

// Whether a reference of record `seq` is to an earlier one by the leaf hash that it has; of those before `first`, which
// were removed with their lines, only the number can be looked at.
function names(ref, seq, first, leaves) {
  if (!Number.isSafeInteger(ref?.seq) || ref.seq < 0 || ref.seq >= seq) return false;
  if (ref.seq < first) return true;
  return hex(leaves.subarray(32 * (ref.seq - first), 32 * (ref.seq - first + 1))) === ref.leaf;
}

async function grow(tree, leaves, sizes, roots) {
  const start = tree.size;
  const stops = [...sizes, start + leaves.length].filter((size) => size > start && size <= start + leaves.length);
  for (const stop of [...new Set(stops)].sort((a, b) => a - b)) {
    await tree.add(leaves.slice(tree.size - start, stop - start));
    roots.set(stop, hex(await tree.root()));
  }
}

// What an auditor kept: the hash of a line, or a checkpoint (origin, size and root); null where it is neither.
export function readKept(text) {
  const trimmed = text.trim();
  if (/^[0-9a-f]{64}$/i.test(trimmed)) return { hash: trimmed.toLowerCase() };
  const [origin, size, root] = trimmed.split("\n").map((line) => line.trim());
  if (!origin || !/^(0|[1-9][0-9]{0,15})$/.test(size ?? "") || !/^[A-Za-z0-9+/]{43}=$/.test(root ?? "")) return null;
  return { size: Number(size), root: hex(Uint8Array.from(atob(root), (char) => char.charCodeAt(0))) };
}
