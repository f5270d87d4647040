// What a person does in GraphiQL.

export async function tabs(page, url) {
  await page.goto(`${url}/graphql`);
  await page.getByRole("tab").first().waitFor();
  return page.getByRole("tab").allInnerTexts();
}

// Runs every example, one after the other, and gives back the documents and their answers.
export async function examples(page, url) {
  await page.goto(`${url}/graphql`);
  await page.getByRole("tab").first().waitFor();
  const answers = [];
  for (const tab of await page.getByRole("tab").all()) {
    await tab.click();
    // GraphiQL runs nothing before both editors are there, and shows the tab's document a moment after the click.
    await page.locator(".graphiql-query-editor .view-line").getByText(await tab.innerText()).first().waitFor();
    await page.locator(".graphiql-response .monaco-editor").first().waitFor();
    const [response] = await Promise.all([
      page.waitForResponse((found) => found.request().method() === "POST" && !isIntrospection(found.request())),
      page.getByRole("button", { name: /execute query/i }).click(),
    ]);
    answers.push({ document: response.request().postDataJSON().query, ...(await response.json()) });
  }
  await page.locator(".graphiql-response").getByText("data").first().waitFor();
  return answers;
}

// How many pixels of a long line are out of sight, on a telephone.
export async function longLine(page, url) {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${url}/graphql`);
  const editor = page.locator(".graphiql-query-editor");
  await editor.locator(".view-line").first().click();
  await page.keyboard.press("Control+A");
  await page.keyboard.type(`# ${"word ".repeat(20)}`);
  const lines = editor.locator(".view-line > span");
  const right = (element) => element.getBoundingClientRect().right;
  const ends = await lines.evaluateAll((found) => found.map((line) => line.getBoundingClientRect().right));
  return { lines: ends.length, cut: Math.max(...ends) - (await editor.evaluate(right)) };
}

// What of the plugins' heads is out of sight, on a desk and on a telephone: the shortcut of the search, and the explorer's name.
export async function plugins(page, url) {
  const found = [];
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 844 });
    await page.goto(`${url}/graphql`);
    await page.getByLabel("Show Documentation Explorer").click();
    const missing = await page.locator(".graphiql-doc-explorer-search input").evaluate((input) => {
      const pen = document.createElement("canvas").getContext("2d");
      const { fontSize, fontFamily } = getComputedStyle(input);
      pen.font = `${fontSize} ${fontFamily}`;
      return Math.ceil(pen.measureText(input.placeholder).width) - input.clientWidth;
    });
    await page.getByLabel("Show GraphiQL Explorer").click();
    const title = page.locator(".doc-explorer-title");
    await page.locator(".graphiql-explorer-root input:focus").waitFor(); // the first argument, to which the panel goes
    const isSeen = await title.evaluate((element) => {
      const { left, top, height } = element.getBoundingClientRect();
      return [2, height - 2].every((below) => document.elementFromPoint(left + 2, top + below) === element);
    });
    found.push({ isWhole: missing <= 0, isSeen });
    await page.getByLabel("Hide GraphiQL Explorer").click();
  }
  return found;
}

function isIntrospection(request) {
  return (request.postData() ?? "").includes("__schema") || (request.postData() ?? "").includes("resources {");
}
