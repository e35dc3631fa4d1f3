import { Refusal } from "./refusal.ts"
import { type Check, type Fields, partsOf } from "./walk.ts"

/**
 * Functions that a sandboxed plugin may call, each in every form that PostgreSQL 15 and later have. They compute from their arguments: none reads a catalog, a setting, a file or another table,
 * runs a text as SQL, waits or takes a lock. A test holds the list against both databases.
 */
const computing = [
  // Text. SQL's own forms (TRIM, POSITION, LIKE ... ESCAPE) are calls of functions here too.
  "ascii bit_length btrim char_length character_length chr concat concat_ws convert_from convert_to decode encode format initcap is_normalized left length like_escape lower lpad ltrim md5",
  "normalize octet_length overlay position quote_ident quote_literal quote_nullable regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array",
  "regexp_split_to_table regexp_substr repeat replace reverse right rpad rtrim sha224 sha256 sha384 sha512 similar_to_escape split_part starts_with string_to_array string_to_table strpos substr",
  "substring to_ascii to_hex translate unistr upper get_bit get_byte set_bit set_byte bit_count",
  // Numbers.
  "abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil ceiling cos cosd cosh cot cotd degrees div exp factorial floor gcd lcm ln log log10 min_scale mod pi pow power",
  "radians round scale sign sin sind sinh sqrt tan tand tanh to_number trim_scale trunc width_bucket num_nonnulls num_nulls",
  // Dates and times.
  "age date_bin date_part date_trunc extract isfinite justify_days justify_hours justify_interval make_date make_interval make_time make_timestamp make_timestamptz now overlaps statement_timestamp",
  "timezone to_char to_date to_timestamp transaction_timestamp",
  // Aggregates and windows.
  "array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp cume_dist dense_rank every first_value json_agg json_object_agg jsonb_agg jsonb_object_agg lag last_value",
  "lead max min mode nth_value ntile percent_rank percentile_cont percentile_disc range_agg range_intersect_agg rank regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx",
  "regr_sxy regr_syy row_number stddev stddev_pop stddev_samp string_agg sum var_pop var_samp variance",
  // JSON.
  "array_to_json json_array_elements json_array_elements_text json_array_length json_build_array json_build_object json_each json_each_text json_extract_path json_extract_path_text json_object",
  "json_object_keys json_strip_nulls json_to_record json_to_recordset json_typeof jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each",
  "jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz",
  "jsonb_path_query jsonb_path_query_array jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls",
  "jsonb_to_record jsonb_to_recordset jsonb_typeof row_to_json to_json to_jsonb",
  // Arrays and ranges.
  "array_append array_cat array_dims array_length array_lower array_ndims array_position array_positions array_prepend array_remove array_replace array_to_string array_upper cardinality",
  "generate_series generate_subscripts trim_array unnest daterange int4range int8range numrange tsrange tstzrange isempty lower_inc lower_inf upper_inc upper_inf range_merge multirange",
  // Search in texts. Not ts_stat and ts_rewrite: they run a text as SQL.
  "array_to_tsvector json_to_tsvector jsonb_to_tsvector numnode phraseto_tsquery plainto_tsquery querytree setweight strip to_tsquery to_tsvector ts_delete ts_filter ts_headline ts_rank ts_rank_cd",
  "tsquery_phrase tsvector_to_array websearch_to_tsquery",
]

/** They give another value on each call, and may. */
export const volatileFunctions: ReadonlySet<string> = new Set(["clock_timestamp", "gen_random_uuid", "random"])

export const builtinFunctions: ReadonlySet<string> = new Set([...computing.flatMap((line) => line.split(" ")), ...volatileFunctions])

/** Of the extensions that an administrator may have installed: pgvector, pg_trgm, unaccent. */
export const extensionFunctions: Readonly<Record<string, readonly string[]>> = {
  vector: [
    "binary_quantize",
    "cosine_distance",
    "hamming_distance",
    "inner_product",
    "jaccard_distance",
    "l1_distance",
    "l2_distance",
    "l2_normalize",
    "subvector",
    "vector_dims",
    "vector_norm",
  ],
  pg_trgm: ["show_trgm", "similarity", "strict_word_similarity", "word_similarity"],
  unaccent: ["unaccent"],
}

const allowed = new Set([...builtinFunctions, ...Object.values(extensionFunctions).flat()])

const ways: Readonly<Record<string, string>> = {
  nextval: "an identity column numbers its rows by itself",
  setval: "an identity column numbers its rows by itself",
  currval: "RETURNING gives the number of a new row",
  lastval: "RETURNING gives the number of a new row",
  timeofday: "clock_timestamp() gives a time",
  array_fill: "make the array in code and pass it as a parameter",
  jsonb_populate_record: "jsonb_to_record($1) AS x(a int, b text) does it",
  jsonb_populate_recordset: "jsonb_to_recordset($1) AS x(a int, b text) does it",
}

/** Characters or rows that one call may make out of nothing. */
const most = 10_000

export const checkCall: Check = ({ funcname, args }) => {
  const parts = partsOf(funcname)
  const name = parts.at(-1) ?? ""
  const schema = parts.length > 1 ? parts.slice(0, -1).join(".") : "pg_catalog"
  if (schema !== "pg_catalog")
    throw new Refusal(`the function ${parts.join(".")} belongs to another schema; only functions of PostgreSQL itself may be called, by their name alone`)
  if (!allowed.has(name)) throw new Refusal(`the function ${name} is not on the list of those that may be called${Object.hasOwn(ways, name) ? `; ${ways[name]}` : ""}`)
  const values = (args ?? []) as Fields[]
  if (name === "generate_series") checkSeries(values)
  if ((name === "repeat" || name === "lpad" || name === "rpad") && !(numberOf(values[1]) <= most)) {
    throw new Refusal(`${name} needs a written number of at most ${most} as its second argument; make longer texts in code`)
  }
}

/** A series is bounded by what is written: both ends, or LEAST with a number as its end. */
function checkSeries([start, end, step]: readonly Fields[]): void {
  const by = step === undefined ? 1 : numberOf(step)
  const rows = by > 0 ? (upperOf(end) - numberOf(start)) / by : (numberOf(start) - numberOf(end)) / -by
  if (rows <= most) return
  throw new Refusal(
    `generate_series needs written whole numbers, as in generate_series(1, 30) or generate_series(1, least($1, 366)), for at most ${most} rows; count dates by adding n * interval '1 day'`,
  )
}

/** The number that is written there; not a number for anything else, also for one that does not fit 32 bits. */
function numberOf(node: Fields | undefined): number {
  const ival = (node?.A_Const as Fields | undefined)?.ival as { ival?: number } | undefined
  return ival ? (ival.ival ?? 0) : Number.NaN
}

function upperOf(node: Fields | undefined): number {
  const { op, args } = (node?.MinMaxExpr ?? {}) as { op?: string; args?: Fields[] }
  if (op !== "IS_LEAST") return numberOf(node)
  return Math.min(...(args ?? []).map(numberOf).filter((number) => !Number.isNaN(number)))
}

const clocks = /^SVFOP_(CURRENT_DATE|CURRENT_TIME|CURRENT_TIME_N|CURRENT_TIMESTAMP|CURRENT_TIMESTAMP_N|LOCALTIME|LOCALTIME_N|LOCALTIMESTAMP|LOCALTIMESTAMP_N)$/

/** CURRENT_DATE and its kin may be asked; CURRENT_USER and its kin tell about the gateway. */
export const checkValueFunction: Check = ({ op }) => {
  if (!clocks.test(String(op))) throw new Refusal(`${String(op).replace("SVFOP_", "")} tells about the gateway's database; who is asking stands in the caller`)
}
