// The check of the log in the reader's own browser: of the server it trusts nothing but the bytes.
import { canCheck, readKey, readNote, signedBy } from "./note.js";
import { check, readKept } from "./proof.js";

const panel = document.querySelector("[data-verify]");
const find = (name) => panel.querySelector(`[data-verify-${name}]`);
const number = (value) => value.toLocaleString("en-GB").replaceAll(",", "\u202f");

// `good` is null for what is neither: not checked, or by the server's own word.
function say(good, heading, text) {
  const line = document.createElement("p");
  line.className = { true: "verdict good", false: "verdict bad", null: "verdict" }[good];
  const strong = document.createElement("strong");
  strong.textContent = heading;
  line.append(strong, ` ${text}`);
  find("outcome").append(line);
}

async function read(seq, limit) {
  const answer = await fetch(`${panel.dataset.lines}?from=${seq}&limit=${limit}`, { cache: "no-store" });
  if (!answer.ok) throw new Error(`the server answered ${answer.status} instead of lines`);
  return new Uint8Array(await answer.arrayBuffer());
}

// Holds what was found against a head or a checkpoint: [whether it agrees, heading, text].
function against(name, kept, found) {
  if (kept.hash) {
    const at = found.seqOf.get(kept.hash);
    if (at === undefined && kept.at < found.first + found.records) {
      return [false, "Not intact.", `First bad line: ${number(kept.at + 1)}, record ${number(kept.at)}. It is not the one of ${name}.`];
    }
    return at === undefined
      ? [false, "Not this log.", `No record has the hash of ${name}: what it named was changed or cut off.`]
      : [true, "Agrees.", `${name[0].toUpperCase()}${name.slice(1)} is record ${number(at)}, and it is here unchanged.`];
  }
  if (found.first) return [false, "Not checked.", `The tree of ${name} also covers records that were removed; use the offline verifier.`];
  if (kept.size > found.records) return [false, "Cut.", `${number(kept.size)} records stand behind ${name}, ${number(found.records)} are here.`];
  return found.roots.get(kept.size) === kept.root || kept.size === 0
    ? [true, "Agrees.", `The tree over the first ${number(kept.size)} records has the root of ${name}.`]
    : [false, "Not this log.", `The tree over the first ${number(kept.size)} records has another root than ${name}.`];
}

// Holds the signature of a checkpoint against the auditor's own key, or else those of this server.
async function signature(name, note, own) {
  const who = note.signatures.map(({ label }) => label).join(", ") || "nobody";
  const subject = name[0].toUpperCase() + name.slice(1);
  if (!(await canCheck())) return [null, "Signature not checked.", `This browser has no Ed25519 in WebCrypto. The offline verifier checks the signature of ${name}, by ${who}.`];
  const keys = own ? [own] : (await Promise.all(panel.dataset.keys.split(" ").map(readKey))).filter(Boolean);
  const found = await signedBy(note, keys);
  if (found && !found.holds) return [false, "Forged.", `The signature of ${name} by ${found.label} does not hold.`];
  if (found && own) return [true, "Signed.", `${subject} is signed by your key ${found.label}.`];
  if (found) return [null, "Signed by a key that came from this server.", `The signature of ${name} by ${found.label} holds; compare that key with the one that you were given, or give yours above.`];
  return own
    ? [false, "Not signed by your key.", `${subject} is signed by ${who}, not by ${own.label}. Where the key was changed since, the offline verifier follows the change.`]
    : [false, "Not signed.", `${subject} is signed by ${who}, and by no key of this server.`];
}

async function run(claims, own) {
  const { first, records } = { first: Number(panel.dataset.first), records: Number(panel.dataset.records) };
  const wanted = new Set(claims.map(([, kept]) => kept.hash).filter(Boolean));
  const seqOf = new Map();
  const seen = (seq, hash) => {
    if (wanted.has(hash)) seqOf.set(hash, seq);
    if (seq % 500 === 0) find("progress").value = records > first ? (seq - first) / (records - first) : 1;
  };
  const sizes = claims.map(([, kept]) => kept.size).filter(Boolean);
  const found = await check({ first, read, sizes, seen });
  const root = first ? "" : `, root ${found.roots.get(found.records) ?? "of an empty tree"}`;
  say(true, "Checked here.", `${number(found.records)} records are whole, in order and linked. Head ${found.head}${root}.`);
  for (const [name, kept, note] of claims) {
    say(...against(name, kept, { ...found, first, seqOf }));
    if (note) say(...(await signature(name, note, own)));
  }
  if (first) say(true, "From there on.", `Records before ${number(first)} were removed with their segments, so the chain was followed from there, and what refers to them was not held against them.`);
}

function claimsOf(text) {
  const claims = [];
  if (Number(panel.dataset.records) > Number(panel.dataset.first)) {
    claims.push(["the head that this page names", { hash: panel.dataset.head, at: Number(panel.dataset.records) - 1 }]);
  }
  if (panel.dataset.checkpoint) claims.push(claimOf("the last checkpoint of the server", panel.dataset.checkpoint));
  if (!text.trim()) return claims;
  const kept = claimOf("what you kept", text);
  return kept[1] && [...claims, kept];
}

// A claim by a hash or a checkpoint, with its note where it is a signed one.
function claimOf(name, text) {
  const kept = readKept(text);
  const note = kept && !kept.hash ? readNote(text) : null;
  return [name, kept, note?.signatures.length || name !== "what you kept" ? note : null];
}

async function start() {
  find("outcome").replaceChildren();
  const claims = claimsOf(find("kept").value);
  if (!claims) return say(false, "Not read.", "What you kept is neither a hash of 64 hex digits nor a checkpoint of three lines.");
  const pasted = find("key").value;
  const own = pasted.trim() ? await readKey(pasted) : null;
  if (pasted.trim() && !own) return say(false, "Not read.", "Your verifier key is none of a log: it has the form name+hash+base64.");
  find("button").disabled = true;
  find("progress").hidden = false;
  find("progress").value = 0;
  try {
    await run(claims, own);
  } catch (fault) {
    if (fault.seq === undefined) say(false, "Could not be checked.", `${fault.message}.`);
    else say(false, "Not intact.", `First bad line: ${number(fault.seq + 1)}, record ${number(fault.seq)}. In full: ${fault.message}.`);
  } finally {
    find("button").disabled = false;
    find("progress").hidden = true;
  }
}

if (globalThis.crypto?.subtle) {
  find("form").hidden = false;
  find("button").addEventListener("click", start);
} else {
  say(false, "Not possible here.", "This page came over a connection that is not secure (neither HTTPS nor this machine itself), and there the browser lends no cryptography. Use the offline verifier.");
}
