// What becomes of a statement's text.
#include <gtest/gtest.h>

#include "engine/sqlite/compile.h"

namespace weir::engine::sqlite {
namespace {

// The text for SQLite, several of them separated by " ;; ", or !SQLSTATE.
std::string rewritten(std::string_view text) {
  const auto compiled = compile(text);
  if (compiled->refused) return "!" + compiled->refused->sqlstate;
  std::string out;
  for (const std::string& sql : compiled->sql) out += (out.empty() ? "" : " ;; ") + sql;
  return out.empty() ? compiled->tag : out;
}

TEST(Compile, Expressions) {
  const std::pair<std::string_view, std::string_view> kTable[] = {
      {"SELECT Foo, \"Bar\" FROM T", "select foo , \"Bar\" from t"},
      {"select $2, $1", "select ?2 , ?1"},
      {"select a-- c\n-b", "select a - b"},
      {"select 'it''s' || E'\\n' || $$x$$", "select 'it''s' || '\n' || 'x'"},
      {"select a::int", "select weir_integer(a,4)"},
      {"select a.b::text", "select CAST(a . b AS TEXT)"},
      {"select f(a, b)::bool", "select weir_bool(f ( a , b ))"},
      {"select (a)::numeric(10,2)", "select weir_numeric(( a ),2)"},
      {"select a::int::text", "select CAST(weir_integer(a,4)  AS TEXT)"},
      {"select -1::int", "select - weir_integer(1,4)"},
      {"select a::varchar(3)", "select substr(CAST(a AS TEXT),1,3)"},
      {"select cast(a as double precision)", "select weir_real(( a ))"},
      {"select cast(a as pg_catalog.int8)", "select weir_integer(( a ),8)"},
      {"select a::timestamp with time zone", "select weir_timestamptz(a)"},
      {"select x in (1)::int", "select x in weir_integer(( 1 ),4)"},
      {"select date '2024-01-01'", "select weir_date('2024-01-01')"},
      {"select a::nonsense", "!42704"},
      {"select a::interval", "!0A000"},
      {"select a::", "!42601"},
      {"select pg_catalog.count(*) from public.t", "select count ( * ) from t"},
      {"select a ilike 'x', a not ilike 'y'", "select a MATCH 'x' , a not MATCH 'y'"},
      {"select a ~~ 'x', a !~~ 'x'", "select a LIKE 'x' , a NOT LIKE 'x'"},
      {"select a ~ 'x'", "!42883"},
      {"select current_timestamp, current_date, current_user",
       "select now() , weir_current_date() , weir_user()"},
      {"select current_timestamp(3)", "select now()"},
      {"select t.current_user", "select t . current_user"},
      {"select string_agg(a, ',')", "select group_concat ( a , ',' )"},
      {"select 1 where a = any($1)",
       "select 1 where a IN (SELECT value FROM json_each(weir_array( ?1 )))"},
      {"select 1 where a <> all($1::int[])",
       "select 1 where a NOT IN (SELECT value FROM json_each(weir_array( ?1 )))"},
      {"select 1 where a = any(array[1,2]::int[])", "select 1 where a IN ( 1 , 2 )"},
      {"select 1 where a = any(select 1)", "select 1 where a IN ( select 1 )"},
      {"select array[1]", "!0A000"},
      {"select a limit all offset 5", "select a limit -1 offset 5"},
      {"select a offset 5 rows", "select a LIMIT -1 OFFSET 5"},
      {"select a fetch first 3 rows only", "select a LIMIT 3"},
      {"select a fetch next row only", "select a LIMIT 1"},
      {"select a from t for update of t skip locked", "select a from t"},
      {"select (select a from t for share) + 1", "select ( select a from t ) + 1"},
      {"select a ? 'x'", "!42883"},
      {"select a where :x", "!42601"},
      {"select x'0aF'", "!22P02"},
      {"explain (analyze) select 1", "EXPLAIN QUERY PLAN select 1"},
      {"values (1), (2)", "values ( 1 ) , ( 2 )"},
      {"with a as (select 1) insert into t select * from a",
       "with a as ( select 1 ) insert into t select * from a"},
      {"vacuum analyze t", "VACUUM"},
      {"frobnicate", "!42601"},
      {"select 'open", "!42601"},
  };
  for (const auto& [text, expected] : kTable) EXPECT_EQ(rewritten(text), expected) << text;
}

// The types of SQLite follow from the words of a declared type.
TEST(Compile, Definitions) {
  const std::pair<std::string_view, std::string_view> kTable[] = {
      {"create table t (id serial primary key, b bigserial not null primary key)",
       "create table t ( id INTEGER primary key , b INTEGER not null primary key )"},
      {"create table t (a int, b bigint, c smallint, d real, e double precision)",
       "create table t ( a int , b bigint , c smallint , d real , e double precision )"},
      {"create table t (a varchar(20), b char(3), c text, d character varying)",
       "create table t ( a varchar(20) , b char(3) , c text , d character varying )"},
      {"create table t (a timestamptz, b timestamp(3) without time zone, c date, d time)",
       "create table t ( a timestamptz text , b timestamp text , c date text , d time text )"},
      {"create table t (a uuid, b jsonb, c json, d bytea, e boolean, f inet)",
       "create table t ( a uuid text , b jsonb text , c json text , d bytea blob , e boolean , f "
       "inet text )"},
      {"create table t (a interval, b point, c numeric(12,2), d decimal)",
       "create table t ( a itvl text , b pnt text , c numeric(12,2) , d decimal )"},
      {"create table t (a int4 default 5 not null, b timestamptz default now())",
       "create table t ( a int4 default 5 not null , b timestamptz text default CURRENT_TIMESTAMP "
       ")"},
      {"create table t (a text default 'x'::text)",
       "create table t ( a text default (CAST('x' AS TEXT) ) )"},
      {"create table t (a text collate \"C\" not null)", "create table t ( a text not null )"},
      {"create table t (id int generated by default as identity primary key)",
       "create table t ( id INTEGER primary key )"},
      {"create table t (id int generated always as identity (start 5), primary key (id))",
       "create table t ( id INTEGER , primary key ( id ) )"},
      {"create table t (a bigint primary key)", "create table t ( a bigint NOT NULL primary key )"},
      {"create table t (a text, b int, primary key (a, b))",
       "create table t ( a text NOT NULL , b int NOT NULL , primary key ( a , b ) )"},
      {"create unlogged table if not exists public.t (a int) with (fillfactor=100)",
       "create table if not exists t ( a int )"},
      {"create table t as select 1 as a with data", "create table t as select 1 as a"},
      {"create table t (a int[])", "!0A000"},
      {"create table t (a nonsense)", "!42704"},
      {"create table t (a serial)", "!0A000"},
      {"create temp table t (a int)", "!0A000"},
      {"create table t (a int) inherits (b)", "!0A000"},
      {"create index concurrently on t using btree (a text_pattern_ops desc nulls last, b) include "
       "(c)",
       "create index \"t_a_b_idx\" on t ( a desc , b )"},
      {"create unique index if not exists i on only t (lower(a)) where a is not null",
       "create unique index if not exists i on t ( lower ( a ) ) where a is not null"},
      {"create index i on t using gin (a)", "!0A000"},
      {"create or replace view v as select 1",
       "DROP VIEW IF EXISTS \"v\" ;; create view v as select 1"},
      {"create extension x", "!0A000"},
      {"drop table if exists a, public.b cascade",
       "DROP TABLE IF EXISTS \"a\" ;; DROP TABLE IF EXISTS \"b\""},
      {"drop index i", "DROP INDEX \"i\""},
      {"truncate table a, b restart identity cascade", "DELETE FROM \"a\" ;; DELETE FROM \"b\""},
      {"alter table only t add column a uuid", "alter table t add column a uuid text"},
      {"alter table t add primary key (a)", "CREATE UNIQUE INDEX \"t_pkey\" ON \"t\" ( a )"},
      {"alter table t add constraint u unique (a, b)",
       "CREATE UNIQUE INDEX \"u\" ON \"t\" ( a , b )"},
      {"alter table t drop column a cascade", "alter table t drop column a"},
      {"alter table t rename column a to b", "alter table t rename column a to b"},
      {"alter table t alter column a set not null", "!0A000"},
      {"alter table t add column a int, add column b int", "!0A000"},
  };
  for (const auto& [text, expected] : kTable) EXPECT_EQ(rewritten(text), expected) << text;
}

TEST(Compile, CopyOptions) {
  const auto compiled = compile(
      "copy t (a, \"B\") from stdin with (format csv, header true, delimiter ';', null 'nil', "
      "quote '|')");
  ASSERT_FALSE(compiled->refused);
  EXPECT_EQ(compiled->verb, Verb::CopyIn);
  EXPECT_EQ(compiled->copy.columns, (std::vector<std::string>{"a", "B"}));
  EXPECT_TRUE(compiled->copy.csv && compiled->copy.header);
  EXPECT_EQ(compiled->copy.delimiter, ';');
  EXPECT_EQ(compiled->copy.null, "nil");
  EXPECT_EQ(compiled->copy.quote, '|');
  EXPECT_EQ(compile("copy (select a::int from t) to stdout csv header")->copy.query,
            "select weir_integer(a,4) from t");
  EXPECT_EQ(rewritten("copy t from stdin binary"), "!0A000");
  EXPECT_EQ(rewritten("copy t from '/etc/passwd'"), "!42501");
  EXPECT_EQ(rewritten("copy (select 1) from stdin"), "!42601");
  EXPECT_EQ(rewritten("copy t from stdin (freeze on)"), "COPY");
}

// Any prefix of anything compiles or is refused.
TEST(Compile, EveryPrefix) {
  for (const std::string_view text :
       {"with a as (select $1::int as x) select a.x::text, cast(b as numeric(3)), date "
        "'2024-01-01' from a, b as c join d "
        "on (a.x = any(array[1]::int[])) where x ilike E'\\'' limit all offset 3 for update of a "
        "nowait",
        "create table if not exists a.b (id int generated by default as identity (start 1) primary "
        "key default now() "
        "collate \"C\", c timestamp (3) with time zone default 'x'::text, constraint d primary key "
        "(a, b)) with (x=1)",
        "create unique index concurrently if not exists on only t using btree (a text_ops nulls "
        "first) include (b)",
        "copy t (a, b) from stdin with (format csv, header on, null 'x', delimiter as ',')",
        "alter table if exists only t add constraint x primary key (a)",
        "drop table if exists a.b, c cascade",
        "insert into t (a, b) values ($1, $2), (default, 3) on conflict do nothing returning a, b "
        "as c, *"})
    for (size_t length = 0; length <= text.size(); ++length) compile(text.substr(0, length));
}

TEST(Compile, DeclaredTypes) {
  const std::pair<std::string_view, uint32_t> kTable[] = {
      {"INTEGER", 23},
      {"bigint", 20},
      {"varchar(20)", 1043},
      {"timestamptz text", 1184},
      {"timestamp text", 1114},
      {"bytea blob", 17},
      {"uuid text", 2950},
      {"itvl text", 1186},
      {"boolean", 16},
      {"numeric(10,2)", 1700},
      {"double precision", 701},
      {"TEXT", 25},
      {"BLOB", 17},
      {"NVARCHAR(10)", 25},
      {"UNSIGNED BIG INT", 20},
      {"", 25},
      {"whatever", 25},
      {"DATETIME", 1114},
      {"((", 25},
  };
  for (const auto& [declared, type] : kTable)
    EXPECT_EQ(column_of_declaration(declared).type, type) << declared;
  EXPECT_EQ(column_of_declaration("numeric(10,2)").modifier, (10 << 16 | 2) + 4);
  EXPECT_EQ(column_of_declaration("varchar(20)").modifier, 24);
}

}  // namespace
}  // namespace weir::engine::sqlite
