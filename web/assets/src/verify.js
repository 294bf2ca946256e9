// The check of the log in the reader's own browser: of the server it trusts nothing but the bytes.
import { check, readKept } from "./proof.js";

const panel = document.querySelector("[data-verify]");
const find = (name) => panel.querySelector(`[data-verify-${name}]`);
const number = (value) => value.toLocaleString("en-GB").replaceAll(",", "\u202f");

function say(good, heading, text) {
  const line = document.createElement("p");
  line.className = `verdict ${good ? "good" : "bad"}`;
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

async function run(claims) {
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
  for (const [name, kept] of claims) say(...against(name, kept, { ...found, first, seqOf }));
  if (first) say(true, "From there on.", `Records before ${number(first)} were removed with their segments, so the chain was followed from there.`);
}

function claimsOf(text) {
  const claims = [];
  if (Number(panel.dataset.records) > Number(panel.dataset.first)) {
    claims.push(["the head that this page names", { hash: panel.dataset.head, at: Number(panel.dataset.records) - 1 }]);
  }
  if (panel.dataset.checkpoint) claims.push(["the last checkpoint of the server", readKept(panel.dataset.checkpoint)]);
  if (!text.trim()) return claims;
  const kept = readKept(text);
  return kept && [...claims, ["what you kept", kept]];
}

async function start() {
  find("outcome").replaceChildren();
  const claims = claimsOf(find("kept").value);
  if (!claims) return say(false, "Not read.", "What you kept is neither a hash of 64 hex digits nor a checkpoint of three lines.");
  find("button").disabled = true;
  find("progress").hidden = false;
  find("progress").value = 0;
  try {
    await run(claims);
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
