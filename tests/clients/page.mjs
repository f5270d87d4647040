// The pages in headless Chromium, as a person uses them: `node page.mjs CHROMIUM URL SCENARIO` prints what was seen, as JSON.
// Nothing but the server itself can be reached; what was asked for elsewhere, said on the console or forbidden by the
// Content-Security-Policy is in the answer too.
import { chromium } from "playwright-core";

import * as composer from "./page_composer.mjs";
import * as forms from "./page_forms.mjs";
import * as graphiql from "./page_graphiql.mjs";

const [executablePath, url, scenario] = process.argv.slice(2);
const scenarios = { ...composer, ...forms, ...graphiql };

const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
const outside = [];
const complaints = [];
try {
  const context = await browser.newContext({ timezoneId: "Europe/Berlin" });
  context.setDefaultTimeout(20_000);
  await context.route("**/*", (route) => {
    if (new URL(route.request().url()).origin === url) {
      return route.continue();
    }
    outside.push(route.request().url());
    return route.abort();
  });
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`forbidden by ${event.violatedDirective}: ${event.blockedURI}`);
    });
  });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") {
      complaints.push(message.text());
    }
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  const seen = await scenarios[scenario](page, url);
  console.log(JSON.stringify({ seen, outside, complaints }));
} finally {
  await browser.close();
}
