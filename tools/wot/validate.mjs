// The validator of the Thing Description playground, offline, and a second parser of JSON-LD.
// node validate.mjs CONTEXT.jsonld FILE…: prints a JSON object, for each file what was found. A file is a Thing Description
// (*.td.json), or a model's description as JSON-LD (*.jsonld), of which the triples are counted.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";

const require = createRequire(import.meta.url);
const jsonld = require("jsonld");
const { tdValidator } = require("@thing-description-playground/core");

const [contextFile, ...files] = process.argv.slice(2);
const context = JSON.parse(readFileSync(contextFile, "utf8"));
jsonld.documentLoader = async (url) => {
    if (url !== "https://www.w3.org/2022/wot/td/v1.1") throw new Error(`nothing is fetched: ${url}`);
    return { contextUrl: null, document: context, documentUrl: url };
};
console.warn = () => {}; // of formats that the validator's schema names and its library does not check

const found = {};
for (const file of files) {
    const text = readFileSync(file, "utf8");
    const said = [];
    if (file.endsWith(".jsonld")) {
        found[file] = { triples: (await jsonld.toRDF(JSON.parse(text))).length };
    } else {
        const result = await tdValidator(text, (line) => said.push(String(line)), { checkDefaults: false });
        found[file] = { report: result.report, details: result.details, said };
    }
}
console.log(JSON.stringify(found));
