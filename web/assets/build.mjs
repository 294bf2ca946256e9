// Bundles src/ into ../static with content hashes in the names, and writes manifest.json for the Jinja helper `asset`.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = here("../static");

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const result = await build({
  entryPoints: ["app.js", "charts.js", "verify.js", "app.css", "favicon.svg"].map((name) => here(`src/${name}`)),
  outdir: out,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  sourcemap: "linked",
  metafile: true,
  legalComments: "linked",
  format: "esm",
  target: ["es2022", "chrome111", "firefox113", "safari16.4"],
  loader: { ".svg": "copy" },
  logLevel: "warning",
});

const manifest = {};
for (const [file, { entryPoint, bytes }] of Object.entries(result.metafile.outputs)) {
  if (!entryPoint || file.endsWith(".map")) continue;
  manifest[basename(entryPoint)] = basename(file);
  console.log(`${basename(file).padEnd(28)} ${(bytes / 1024).toFixed(0).padStart(5)} KiB`);
}
await writeFile(`${out}/manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`);
