// Makes the bundle of the chat page: minified, under the name of its content, with the checksum that the page demands.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(here, "../gateway/pages/agui");
const sources = ["package.json", "package-lock.json", "build.mjs", ...readdirSync(join(here, "src")).sort().map((name) => `src/${name}`)];

// Half of the client's weight is never used here: zod's messages in forty languages, and the binary form of the events,
// which a server only sends to who asks for it.
const light = {
  name: "light",
  setup(build) {
    build.onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({ contents: 'export { default as en } from "./en.js";' }));
    build.onLoad({ filter: /@ag-ui\/proto\/dist\/index\.mjs$/ }, () => ({
      contents: `export const AGUI_MEDIA_TYPE = "application/vnd.ag-ui.event+proto";
        export const decode = () => { throw new Error("This page reads server-sent events only."); };
        export const encode = decode;`,
    }));
  },
};

const digest = (algorithm, bytes, form) => createHash(algorithm).update(bytes).digest(form);

const built = await esbuild.build({
  absWorkingDir: here,
  entryPoints: ["src/chat.js", "src/chat.css"],
  outdir: "out",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  metafile: true,
  write: false,
  plugins: [light],
});

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const manifest = { files: {}, sources: {} };
for (const { path, contents } of built.outputFiles) {
  const [stem, extension] = basename(path).split(".");
  const name = `${stem}-${digest("sha256", contents, "hex").slice(0, 16)}.${extension}`;
  writeFileSync(join(target, name), contents);
  manifest.files[`${stem}.${extension}`] = { name, integrity: `sha384-${digest("sha384", contents, "base64")}` };
}
for (const name of sources) manifest.sources[name] = digest("sha256", readFileSync(join(here, name)), "hex");
writeFileSync(join(target, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);

// The licences of what is in it go along with it.
const folders = new Set(Object.keys(built.metafile.inputs).map((path) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]));
const notices = [...folders].filter(Boolean).sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(join(here, folder, "package.json"), "utf8"));
  const file = readdirSync(join(here, folder)).find((entry) => /^licen[cs]e/i.test(entry));
  return `${name} ${version} (${license})\n\n${file ? readFileSync(join(here, folder, file), "utf8").trim() : ""}\n`;
});
writeFileSync(join(target, "licenses.txt"), notices.join(`\n${"-".repeat(80)}\n\n`));
