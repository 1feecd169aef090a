// A generic WoT client, node-wot: it is given a Thing Description, credentials and one sample, and prints a JSON object.
// node client.mjs TD.json REQUEST.json; of the request: asker, inputs; user and password; or ca, certificate and key (files).
import { readFileSync } from "node:fs";
import process from "node:process";
import core from "@node-wot/core";
import mqtt from "@node-wot/binding-mqtt";

const [description, request] = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, "utf8")));
const servient = new core.Servient();
servient.addClientFactory(new mqtt.MqttClientFactory());
if (request.ca) {
    const [ca, cert, key] = [request.ca, request.certificate, request.key].map((path) => readFileSync(path));
    servient.addClientFactory(new mqtt.MqttsClientFactory({ ca, cert, key }));
}
if (request.user) {
    servient.addCredentials({ [description.id]: { username: request.user, password: request.password } });
}
const thing = await (await servient.start()).consume(description);

const read = async (name) => (await thing.readProperty(name)).value();

/** The first value of a property or an event. `ready` resolves once the broker has the subscription. */
function first(kind, name, options) {
    let ready;
    const value = new Promise((resolve, reject) => {
        ready = thing[kind](name, async (output) => resolve(await output.value()), reject, options);
        ready.catch(reject);
    });
    return { value, ready };
}

const found = { read: {} };
// One after the other: two reads at once are one too many for the binding.
for (const [name, property] of Object.entries(description.properties)) {
    if (property.forms.some((form) => form.op.includes("readproperty"))) found.read[name] = await read(name);
}
found.observed = await first("observeProperty", "health").value;
const progress = first("subscribeEvent", "progress");
await progress.ready;
console.error("listening"); // whoever drives the fleet starts a job now
found.progress = await progress.value;

const options = { uriVariables: { asker: request.asker, call: `c${process.pid}` } };
const answer = first("subscribeEvent", "inferred", options);
await answer.ready;
await thing.invokeAction("infer", { inputs: request.inputs }, options);
found.inferred = await answer.value;
console.log(JSON.stringify(found));
process.exit(0);
