// Signed notes (C2SP signed-note): who signed a checkpoint, and whether the Ed25519 signature holds.
import { hex } from "./proof.js";

const utf8 = (text) => new TextEncoder().encode(text);
const bytesOf = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
const SIGNATURE = /^\u2014 (\S+) ((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/;

// The verifier key of a log, name+hash+base64: its label name+hash and its 32 bytes; null where `vkey` is none.
export async function readKey(vkey) {
  const [, name, id, encoded] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/.exec(vkey.trim()) ?? [];
  if (!name) return null;
  const raw = bytesOf(encoded);
  const told = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array([...utf8(`${name}\n`), ...raw])));
  return raw[0] === 1 && hex(told.slice(0, 4)) === id ? { label: `${name}+${id}`, raw: raw.slice(1) } : null;
}

// The text that a checkpoint's signatures are over, and each signature: label name+hash of its key, and bytes.
export function readNote(note) {
  const lines = note.replaceAll("\r\n", "\n").trim().split("\n").map((line) => line.trimEnd());
  const end = lines.indexOf("");
  if (end < 0) return { text: "", signatures: [] };
  const found = lines.slice(end + 1).map((line) => SIGNATURE.exec(line)).filter(Boolean);
  const signatures = found.map(([, name, encoded]) => {
    const raw = bytesOf(encoded);
    return { label: `${name}+${hex(raw.slice(0, 4))}`, bytes: raw.slice(4) };
  });
  return { text: `${lines.slice(0, end).join("\n")}\n`, signatures };
}

// Whether this browser can check Ed25519 signatures, asked with a key of RFC 8032: older ones cannot.
export async function canCheck() {
  try {
    await imported(bytesOf("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="));
    return true;
  } catch {
    return false;
  }
}

const imported = (raw) => crypto.subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);

// The first of `keys` that a note names as signing, and whether all of that key's signatures hold; null where it names none.
export async function signedBy({ text, signatures }, keys) {
  const key = keys.find(({ label }) => signatures.some((each) => each.label === label));
  if (!key) return null;
  const usable = await imported(key.raw);
  const own = signatures.filter(({ label }) => label === key.label);
  const each = await Promise.all(own.map(({ bytes }) => crypto.subtle.verify({ name: "Ed25519" }, usable, bytes, utf8(text))));
  return { label: key.label, holds: each.every(Boolean) };
}
