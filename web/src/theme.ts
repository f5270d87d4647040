/** Light or dark: as the system says, unless a person chose. GraphiQL keeps the choice; the console shares it. */

export type Theme = "light" | "dark" | null; // null: as the system says

const KEY = "graphiql:theme";

export function storedTheme(): Theme {
  const stored = localStorage.getItem(KEY);
  return stored === "light" || stored === "dark" ? stored : null;
}

export function applyTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme ?? "");
  document.body.classList.remove("graphiql-light", "graphiql-dark");
  if (theme) {
    document.body.classList.add(`graphiql-${theme}`);
  }
}
