/** `{question}`, `{response}` … of a prompt's template, filled in; other braces stay as they are. */

export function fillTemplate(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (hole, name) => (Object.hasOwn(values, name) ? values[name] : hole));
}
