/** A benchmark's figures by category as rows, whatever its own way of nesting them. */

export interface CategoryFigure {
  name: string;
  /** Null where a benchmark gives points alone. */
  n: number | null;
  /** A share 0…1, or points. */
  value: number;
}

export interface CategoryTable {
  /** What is told apart, e.g. `skill`; null where a benchmark has one way of sorting. */
  by: string | null;
  figures: CategoryFigure[];
}

/** The tables in `per_category`, in its order; those within a category behind the one it stands in. */
export function categoryTables(perCategory: Record<string, unknown>): CategoryTable[] {
  const tables: CategoryTable[] = [];
  const walk = (of: Record<string, unknown>, by: string | null) => {
    const entries = Object.entries(of);
    const figures = entries.flatMap(([name, value]) => figure(name, value) ?? []);
    if (figures.length > 0) tables.push({ by, figures });
    for (const [name, value] of entries) {
      if (typeof value !== 'object' || value === null) continue;
      if (figure(name, value) === null) walk(value as Record<string, unknown>, name);
      else
        for (const [below, inner] of Object.entries(value))
          if (typeof inner === 'object' && inner !== null)
            walk(inner as Record<string, unknown>, `${below} of ${name}`);
    }
  };
  walk(perCategory, null);
  return tables;
}

function figure(name: string, value: unknown): CategoryFigure | null {
  if (typeof value === 'number') return { name, n: null, value };
  const { accuracy, n } = (value ?? {}) as { accuracy?: unknown; n?: unknown };
  if (typeof accuracy !== 'number') return null;
  return { name, n: typeof n === 'number' ? n : null, value: accuracy };
}
