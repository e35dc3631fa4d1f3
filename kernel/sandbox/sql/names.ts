import { Refusal } from "./refusal.ts"
import { type Check, type Fields, partsOf } from "./walk.ts"

/** A table that is read: of the own schema, or one that a WITH clause around it defines. */
export const checkRead: Check = (fields, scope) => {
  if (fields.schemaname === undefined && fields.catalogname === undefined && scope.defined.has(String(fields.relname))) return
  checkOwn(fields, scope)
}

/** A table that is written or changed: of the own schema. PostgreSQL looks it up there also when a WITH clause has its name. */
export const checkOwn: Check = ({ catalogname, schemaname, relname, relpersistence }, { schema }) => {
  if (catalogname !== undefined) throw new Refusal(`${catalogname}.${schemaname}.${relname} names a database; leave that out`)
  if (schemaname === undefined) throw new Refusal(`the table ${relname} is named without its schema; write ${schema}.${relname}`)
  if (schemaname !== schema)
    throw new Refusal(`${schemaname}.${relname} is outside the plugin's own schema; only tables as ${schema}.<table> may be used, and what another plugin has is a service`)
  if (relpersistence !== "p") throw new Refusal(`${schemaname}.${relname} would be a temporary or unlogged table; make a plain one`)
}

/** FOR UPDATE OF names aliases of the query's own tables. */
export const checkLocked: Check = ({ lockedRels }) => {
  for (const node of (lockedRels ?? []) as { RangeVar: Fields }[]) {
    if (node.RangeVar.schemaname !== undefined) throw new Refusal("FOR UPDATE OF takes aliases, without a schema")
  }
}

const systemColumns = new Set(["tableoid", "xmin", "xmax", "cmin", "cmax", "ctid", "oid"])

export const checkColumn: Check = ({ fields }, { schema, rows }) => {
  const parts = partsOf(fields)
  const column = parts.at(-1)
  if (parts.length > 3 || (parts.length === 3 && parts[0] !== schema)) throw new Refusal(`${parts.map((part) => part ?? "*").join(".")} is too long a name; write <alias>.<column>`)
  if (column === null || column === undefined) return
  if (systemColumns.has(column)) throw new Refusal(`the system column ${column} may not be used; keep what is needed in a column of the table`)
  if (parts.length === 1) return
  const [table] = parts.slice(-2)
  const known = rows.get(String(table))
  // On an alias PostgreSQL takes the name of a function for a call of it.
  if (column.startsWith("pg_") || (known && !known.has(column))) {
    throw new Refusal(`${table}.${column} could be a call of a function; name the columns of a function in FROM, as in unnest($1::int[]) AS t(id)`)
  }
}

/** `(value).name` is a call of the function `name` when it is no column, and `(value).*` calls once per column. Subscripts are fine. */
export const checkIndirection: Check = ({ indirection }) => {
  for (const node of (indirection ?? []) as Fields[]) {
    if (!("A_Indices" in node)) throw new Refusal("a field of a value in parentheses could be a call of a function; read it from FROM, as in FROM jsonb_each($1) AS e, e.key")
  }
}

const types = new Set(
  [
    "bool boolean int2 int4 int8 smallint int integer bigint float4 float8 real numeric decimal text varchar bpchar bytea uuid date time timetz timestamp timestamptz interval json jsonb jsonpath",
    "inet cidr bit varbit tsvector tsquery regconfig int4range int8range numrange daterange tsrange tstzrange int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange",
    "vector halfvec sparsevec",
  ].flatMap((line) => line.split(" ")),
)

/** Types of values, pgvector's, and the plugin's own. Not the types that look into catalogs, such as regclass, nor xml, which reads what it is told to. */
export const checkType: Check = ({ names }, { schema }) => {
  const [name, of, ...more] = partsOf(names).reverse()
  if (more.length === 0 && (of === schema || (types.has(String(name)) && (of === undefined || of === "pg_catalog")))) return
  const serial = /^(small|big)?serial[248]?$/.test(String(name)) ? "; write bigint GENERATED ALWAYS AS IDENTITY" : `; an enum of the plugin is written ${schema}.<type>`
  throw new Refusal(`the type ${partsOf(names).join(".")} is not on the list of those that may be used${serial}`)
}

const operators = new Set(
  [
    "= <> != < > <= >= + - * / % ^ |/ ||/ @ & | # ~ << >> || ~~ !~~ ~~* !~~* !~ ~* !~* ^@ ~<~ ~<=~ ~>~ ~>=~",
    "-> ->> #> #>> @> <@ ? ?| ?& #- @? @@ && -|- &< &> !!",
    "<-> <#> <=> <+> <~> <%> <% %> <<% %>> <<-> <->> <<<-> <->>>",
  ].flatMap((line) => line.split(" ")),
)

function checkOperatorName(names: unknown): void {
  const [name, of, ...more] = partsOf(names).reverse()
  if (operators.has(String(name)) && more.length === 0 && (of === undefined || of === "pg_catalog" || of === "public")) return
  throw new Refusal(`the operator ${partsOf(names).join(".")} is not on the list of those that may be used`)
}

export const checkExpression: Check = ({ kind, name }) => {
  if (!/^AEXPR_(NOT_)?BETWEEN(_SYM)?$/.test(String(kind))) checkOperatorName(name)
}
export const checkSubLink: Check = ({ operName }) => {
  if (operName !== undefined) checkOperatorName(operName)
}
export const checkSort: Check = ({ useOp }) => {
  if (useOp !== undefined) checkOperatorName(useOp)
}

function checkFromCatalog(what: string, names: unknown): void {
  const parts = partsOf(names)
  if (parts.length > 2 || (parts.length === 2 && parts[0] !== "pg_catalog"))
    throw new Refusal(`the ${what} ${parts.join(".")} belongs to another schema; use one of PostgreSQL's own`)
}
export const checkCollation: Check = ({ collname }) => checkFromCatalog("collation", collname)

export const checkSample: Check = ({ method }) => {
  checkFromCatalog("sampling method", method)
  if (!/^(system|bernoulli)$/.test(String(partsOf(method).at(-1)))) throw new Refusal("TABLESAMPLE takes SYSTEM or BERNOULLI")
}

const operatorClass =
  /^((vector|halfvec|sparsevec)_(l2|l1|ip|cosine)_ops|bit_(hamming|jaccard)_ops|(gin|gist)_trgm_ops|jsonb_(path_)?ops|array_ops|(text|varchar|bpchar)_pattern_ops)$/

export const checkIndexElement: Check = ({ collation, opclass }) => {
  checkFromCatalog("collation", collation)
  const [name, of, ...more] = partsOf(opclass).reverse()
  if (name === undefined || (operatorClass.test(String(name)) && more.length === 0 && (of === undefined || of === "public" || of === "pg_catalog"))) return
  throw new Refusal(`the operator class ${partsOf(opclass).join(".")} is not on the list of those that may be used`)
}

/** The column by which tenants are kept apart is filled in by the gateway, and stays. */
export const checkSets: Check = ({ targetList }) => {
  for (const node of (targetList ?? []) as { ResTarget: { name?: string } }[]) {
    if (node.ResTarget.name === "tenant_id") throw new Refusal("tenant_id cannot be changed: a row stays with its tenant")
  }
}
