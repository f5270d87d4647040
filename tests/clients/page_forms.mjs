// What the console's fields offer, take and say. Each scenario gives back what there was to see.
import { add, fill, marked, open, part, request, run, send, violations } from "./page_steps.mjs";

// What was said of a batch is marked as former as soon as anything is changed, and is gone with the next run.
export async function former(page, url) {
  await open(page, url);
  const artist = await add(page, 1, "/artists");
  await fill(artist, { name: "x".repeat(121) });
  await fill(await add(page, 2, "/albums"), { title: "Vierte" });
  const said = [await run(page)];
  const now = async () => said.push(await page.locator(".outcome h2").innerText());
  await fill(artist, { name: "Neu" });
  await now();
  const left = await page.locator(".errors li").allInnerTexts();
  const announced = await page.locator(".outcome [role=status]").innerText();
  const accessible = await violations(page);
  await fill(artist, { name: "x".repeat(121) });
  await now(); // as it was when it ran
  await page.getByLabel("Dry run").check();
  await now();
  await page.getByLabel("Dry run").uncheck();
  await page.getByRole("button", { name: "Remove part b" }).click();
  const without = await page.locator(".errors a").allInnerTexts();
  await fill(artist, { name: "Neu" });
  said.push(await run(page));
  await page.getByRole("button", { name: "Add a part" }).click();
  await now();
  const caution = await page.locator(".outcome [role=status]").innerText();
  return { said, left, announced, without, caution, accessible };
}

// A part without a path is not sent; the message is at its path, which has the focus from the start.
export async function noPath(page, url) {
  await open(page, url);
  await fill(await add(page, 1, "/artists"), { name: "Neu" });
  await page.getByRole("button", { name: "Add a part" }).press("Enter");
  const focused = () => page.evaluate(() => document.activeElement.id);
  const afterAdding = await focused();
  await page.keyboard.press("Enter"); // ends the path, and runs nothing
  await part(page, 1).getByLabel("name", { exact: true }).press("Enter"); // nor does it in a field
  await page.getByLabel("Dry run").press("Enter");
  const afterEnter = await page.locator(".outcome").count();
  const title = await part(page, 1).getByLabel("What to send for name").getAttribute("title");
  await page.getByRole("button", { name: "Run the batch" }).click();
  const marks = await marked(page);
  await page.locator(".errors a").click();
  const afterLink = await focused();
  await page.keyboard.type("/albums/1");
  const afterTyping = await marked(page);
  return { marks, focused: [afterAdding, afterLink], afterEnter, title, afterTyping, accessible: await violations(page) };
}

// What is suggested of earlier parts, and which operations fit there.
export async function suggestEarlier(page, url) {
  await open(page, url);
  await add(page, 1, "/artists");
  await add(page, 2, "/playlists/2", "DELETE");
  await page.getByRole("button", { name: "Add a part" }).click();
  const options = page.locator("li[role=option]");
  await page.keyboard.press("ArrowDown");
  const first = (await options.allInnerTexts()).slice(0, 3).map((text) => text.split("\n"));
  await page.keyboard.type("alb");
  const typed = await options.locator(".code").allInnerTexts();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  const made = part(page, 3);
  const path = made.getByRole("combobox", { name: "Path" });
  const chosen = await path.inputValue();
  const operations = {};
  for (const text of ["", chosen, "/artists/$a", "/artists", "/artists/1", "/artists?limit=2", "/nothing"]) {
    await path.fill(text);
    const field = made.getByLabel("Operation");
    operations[text] = [await field.inputValue(), ...(await field.locator("option").allInnerTexts())];
  }
  await made.getByLabel("Operation").selectOption("GET"); // at /nothing: what a person chose stays where it can
  await path.fill("/artists/1");
  const kept = await made.getByLabel("Operation").inputValue();
  return { first, typed, chosen, operations, kept };
}

// A value of every type, by what each has: a picker, a choice, a line, a text.
export async function types(page, url) {
  await open(page, url);
  const made = await add(page, 1, "/everyTypes");
  const control = (name) => made.getByLabel(name, { exact: true });
  const kinds = {};
  for (const label of await made.locator(".fields .field-name label").all()) {
    const name = await label.innerText();
    kinds[name] = await control(name).evaluate((element) => element.type);
  }
  await made.getByLabel("flag", { exact: true }).selectOption("false");
  for (const [name, value] of Object.entries({
    small: "-7",
    big: "9007199254740993",
    double: "0.1",
    price: "12.50",
    short: "O'Hara",
    long: "two\nlines",
    day: "2026-07-01",
    clock: "08:05",
    local: "2026-07-01T08:05",
    instant: "2026-07-01T08:05",
    token: "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    bytes: "AAEC",
    document: '{"a": [1.50]}',
  })) {
    await control(name).fill(value);
  }
  const hint = await made.locator(".field", { has: page.getByLabel("instant", { exact: true }) }).locator(".hint").innerText();
  const picked = (await request(page)).variables.parts[0].payload;
  const said = await run(page);
  await send(made, "clock", "typed");
  await send(made, "local", "typed");
  await fill(made, { clock: "08:05:00.25", local: "infinity" });
  await send(made, "instant", "typed");
  await control("instant").fill("");
  await send(made, "day", "null");
  await send(made, "flag", "null");
  await control("small").fill("");
  await control("double").fill("1e999");
  const typed = (await request(page)).variables.parts[0].payload;
  await send(made, "day", "absent");
  await control("day").focus();
  await page.keyboard.type("0701"); // no year
  await page.getByRole("button", { name: "Run the batch" }).click();
  const incomplete = await marked(page);
  await control("day").fill("2026-07-02");
  await send(made, "clock", "value"); // which the picker cannot show
  const emptied = "clock" in (await request(page)).variables.parts[0].payload;
  return { kinds, hint, picked, said, typed, incomplete, emptied, rejected: await run(page), marks: await marked(page) };
}

// What only PostgreSQL has, in an item that is there: null, what is left out, and what is given.
export async function postgresqlTypes(page, url) {
  await open(page, url);
  const made = await add(page, 1, "/things/1", "UPDATE");
  const control = (name) => made.getByLabel(name, { exact: true });
  const choices = await control("mood").locator("option").allInnerTexts();
  const how = await made.getByLabel("What to send for name").locator("option").allInnerTexts();
  const howMood = await made.getByLabel("What to send for mood", { exact: true }).locator("option").allInnerTexts();
  await control("mood").selectOption("glad");
  await fill(made, { tags: '["a", null]', counts: "[1, 2]", address: "10.0.0.1", lasting: "P1D" });
  await send(made, "flag", "null");
  await send(made, "document", "null");
  await made.getByText("Preconditions").click();
  await made.getByRole("button", { name: "Load the current item" }).click();
  await made.getByText("ifMatch has its etag").waitFor();
  const now = await made.locator(".hint").allInnerTexts();
  const { variables } = await request(page);
  return { choices, how, howMood, now, payload: variables.parts[0].payload, said: await run(page), marks: await marked(page) };
}

// The items that a foreign key can point at.
export async function targets(page, url) {
  await open(page, url);
  const made = await add(page, 1, "/tracks");
  const control = made.getByLabel("mediaTypeId", { exact: true });
  const before = await made.locator("datalist").count();
  await control.focus();
  const options = made.locator("datalist option");
  await options.first().waitFor({ state: "attached" });
  const offered = await options.evaluateAll((found) => found.map(({ value, label }) => [value, label]));
  await control.fill("2");
  const { variables } = await request(page);
  return { before, offered, payload: variables.parts[0].payload, accessible: await violations(page) };
}

// What the fields say of themselves.
export async function hints(page, url) {
  await open(page, url);
  const made = await add(page, 1, "/people");
  const seen = await said(made);
  await made.getByLabel("Operation").selectOption("UPSERT");
  const inUpsert = await made.locator(".required").allInnerTexts();
  return { seen, inUpsert };
}

// The same of what a model limits and gives, and an item of nothing but its defaults.
export async function modelHints(page, url) {
  await open(page, url);
  const parcels = await add(page, 1, "/parcels");
  const parcel = await said(parcels);
  await fill(parcels, { needed: "1" });
  const wares = await add(page, 2, "/wares");
  const ware = await said(wares);
  await wares.getByRole("button", { name: /^Remove part/ }).click();
  return { parcel, ware, said: await run(page) };
}

async function said(made) {
  const seen = {};
  for (const field of await made.locator(".fields .field").all()) {
    const name = await field.locator("label").innerText();
    const control = made.getByLabel(name, { exact: true });
    seen[name] = {
      placeholder: await control.getAttribute("placeholder"),
      hint: (await field.locator(".hint").count()) ? await field.locator(".hint").innerText() : "",
      isRequired: (await field.locator(".required").count()) > 0,
    };
  }
  return seen;
}

// An earlier part's item that does not fit is marked at what chose it.
export async function badReference(page, url) {
  await open(page, url);
  await add(page, 1, "/seats/Z,9", "UPDATE");
  const guest = await add(page, 2, "/guests");
  await fill(guest, { name: "Ada" });
  await send(guest, "seatByRowAndNumber", { label: "item of a" });
  await part(page, 1).getByLabel("Operation").selectOption("DELETE");
  await run(page);
  const how = guest.getByLabel("What to send for seatByRowAndNumber");
  return {
    isInvalid: await how.getAttribute("aria-invalid"),
    described: await how.evaluate((element) =>
      element.getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id).innerText),
    ),
    accessible: await violations(page),
  };
}

// Values and keys of columns without a declared type: as JSON, and as paths write them.
export async function anyValues(page, url) {
  await open(page, url);
  const made = await add(page, 1, "/ks");
  const path = made.getByRole("combobox", { name: "Path" });
  await path.fill("/ks/");
  const options = page.locator("li[role=option] .code");
  await options.first().waitFor();
  const suggested = await options.allInnerTexts();
  await path.fill("/ks/%271%27");
  await path.press("Escape");
  await made.getByLabel("Operation").selectOption("UPDATE");
  await made.getByText("Preconditions").click();
  await made.getByRole("button", { name: "Load the current item" }).click();
  await made.getByText("ifMatch has its etag").waitFor();
  const hint = await made.locator(".hint").first().innerText();
  const sent = [];
  for (const text of ['"1"', "1", "1.0", '{"base64": "AAEC"}', '{"int": "9007199254740993"}']) {
    await fill(made, { v: text });
    sent.push((await request(page)).variables.parts[0].payload);
  }
  return { suggested, hint, sent, said: await run(page), marks: await marked(page), accessible: await violations(page) };
}
