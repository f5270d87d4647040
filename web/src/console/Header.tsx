/** The top of the page: where one is, the way to GraphiQL, light or dark. */

import { useState } from "react";

import { type Theme, applyTheme, storedTheme } from "../theme";

export function Header() {
  const [theme, setTheme] = useState<Theme>(storedTheme);
  const change = (chosen: string) => {
    const next = chosen === "light" || chosen === "dark" ? chosen : null;
    applyTheme(next);
    setTheme(next);
  };
  return (
    <header className="top">
      <h1>Compose a batch</h1>
      <nav>
        <a href="graphql">GraphiQL</a>
        <select aria-label="Colours" value={theme ?? "system"} onChange={(event) => change(event.target.value)}>
          <option value="system">System</option>
          <option value="light">Light</option>
          <option value="dark">Dark</option>
        </select>
      </nav>
    </header>
  );
}
