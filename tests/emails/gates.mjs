// What npm's tools say of emails. In: {"html": [files]} on stdin. Out: {file: {"html-validate": […], "caniemail": […]}}.
import { readFileSync } from "node:fs";
import { caniemail } from "caniemail";
import { HtmlValidate, StaticConfigLoader } from "html-validate";

const beside = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
const { "//": _, ...profile } = beside("email-profile.json");
const progressive = beside("progressive.json");
const validator = new HtmlValidate(new StaticConfigLoader(profile));
const said = {};
for (const file of JSON.parse(readFileSync(0, "utf8")).html) {
  const html = readFileSync(file, "utf8");
  const report = await validator.validateString(html, file);
  const lacking = new Map();
  for (const [client, issues] of caniemail({ clients: ["*"], html }).issues.errors) {
    for (const { title } of issues) {
      if (!(title in progressive)) lacking.set(title, new Set([...(lacking.get(title) ?? []), client]));
    }
  }
  said[file] = {
    "html-validate": report.results.flatMap((one) => one.messages.map((m) => `line ${m.line}: ${m.message} (${m.ruleId})`)),
    caniemail: [...lacking].map(([title, clients]) => `${title}: not in ${[...clients].sort().join(", ")}`),
  };
}
console.log(JSON.stringify(said));
