// Statements and their results as PostgreSQL's clients see them.
#include "fixture.h"

namespace weir::engine {
namespace {

using fake::PgClient;
using fake::PgReply;

struct Dialect : SqliteTest {
  void SetUp() override {
    PgClient& setup = connect();
    const PgReply reply = setup.query(
        "create table customers(id serial primary key, name varchar(40) not null, balance "
        "numeric(12,2), active boolean "
        "default true, created_at timestamptz default now(), meta jsonb);"
        "create table orders(id bigserial primary key, customer_id int references customers(id), "
        "total numeric(12,2), "
        "placed timestamp, payload bytea, uid uuid, day date, ratio float8, small smallint, big "
        "bigint);"
        "insert into customers(name, balance) values ('Ann', 10.5), ('bob', 2);"
        "insert into orders(customer_id, total, big) values (1, 99.99, 5000000000)");
    ASSERT_EQ(reply.tags.size(), 4U) << values_of(reply);
  }
};

TEST_F(Dialect, Values) {
  const std::pair<std::string_view, std::string_view> kTable[] = {
      {"select 1 = 1, 1 > 2, true, null", "t|f|t|~;"},
      {"select '5'::int + 1, 1.7::int, '2024-02-29T10:00:00Z'::timestamptz",
       "6|2|2024-02-29 10:00:00+00;"},
      {"select 'abc'::int", "!22P02 "},
      {"select '99999999999'::int", "!22003 "},
      {"select '\\x00ff'::bytea", "\\x00ff;"},
      {"select 'x' like 'X', 'x' ilike 'X', 'a%' like 'a\\%', 'ab' like 'a\\%', 'a_b' like 'a!_b' "
       "escape '!'",
       "t;"},
      {"select concat('a', null, 1), greatest(1, null, 3), left('h\xc3\xa9llo', 2), strpos('abc', "
       "'c')",
       "a1|3|h\xc3\xa9|3;"},
      {"select count(*), sum(balance), avg(balance) from customers", "2|12.5|6.25;"},
      {"select string_agg(name, ',') from (select name from customers order by name) x",
       "Ann,bob;"},
      {"select name from customers where id = any('{2,7}')", "bob;"},
      {"select name from customers where name = any(array['Ann'])", "Ann;"},
      {"select name from customers where id <> all('{2}')", "Ann;"},
      {"select * from customers where name = \"Ann\"", "!42703 "},
      {"select current_setting('server_version_num')", "150000;"},
      {"select nothing_like_it(1)", "!42883 "},
      {"insert into customers(name) values (null)", "!23502 "},
      {"insert into customers(id, name) values (1, 'x')", "!23505 "},
      {"insert into orders(customer_id) values (77)", "!23503 "},
      {"select 1/0", "~;"},
  };
  PgClient& a = connect();
  for (const auto& [sql, expected] : kTable) {
    const std::string got = values_of(a.query(sql));
    EXPECT_EQ(got.substr(0, expected == "t;" ? 1 : std::string::npos),
              expected == "t;" ? "f" : expected)
        << sql;
  }
  EXPECT_EQ(values_of(a.query("select 'x' like 'X', 'x' ilike 'X', 'a%' like 'a\\%', 'ab' like "
                              "'a\\%', 'a_b' like 'a!_b' escape '!'")),
            "f|t|t|f|t;");
}

TEST_F(Dialect, NamesAndTypesOfColumns) {
  PgClient& a = connect();
  PgReply reply = a.query("select id, name, balance, active, created_at, meta from customers");
  EXPECT_EQ(reply.types, (std::vector<uint32_t>{23, 1043, 1700, 16, 1184, 3802}));
  reply = a.query(
      "select 1, 1.5, 'x', true, 1 = 1, count(*), Name as N, max(balance), lower(name) l, now(), "
      "id::text, "
      "balance * 2, id in (1), exists (select 1), coalesce(name, 'x'), case when true then 1 end, "
      "name || 'x', not active, 5000000000, created_at from customers");
  EXPECT_EQ(reply.columns,
            (std::vector<std::string>{
                "?column?", "?column?", "?column?", "bool",     "?column?", "count",     "n",
                "max",      "l",        "now",      "id",       "?column?", "?column?",  "exists",
                "coalesce", "case",     "?column?", "?column?", "?column?", "created_at"}));
  EXPECT_EQ(reply.types, (std::vector<uint32_t>{23, 1700, 25, 16, 16,   20, 1043, 1700, 25, 1184,
                                                25, 1700, 16, 16, 1043, 23, 25,   16,   20, 1184}));
  reply = a.query("select c.*, o.total from customers c join orders o on o.customer_id = c.id");
  EXPECT_EQ(reply.columns.size(), 7U);
  EXPECT_EQ(reply.types.back(), 1700U);
  reply = a.query("update customers set active = false returning id, active as a, 1 + 1");
  EXPECT_EQ(reply.columns, (std::vector<std::string>{"id", "a", "?column?"}));
  EXPECT_EQ(reply.types, (std::vector<uint32_t>{23, 16, 23}));
}

TEST_F(Dialect, TypesOfParameters) {
  const std::pair<std::string_view, std::vector<uint32_t>> kTable[] = {
      {"select * from customers where id = $1 and name like $2", {23, 25}},
      {"select * from customers where $1 < balance", {1700}},
      {"select * from customers c where c.created_at between $1 and $2", {1184, 1184}},
      {"select * from orders where big in ($1, $2) limit $3 offset $4", {20, 20, 20, 20}},
      {"select * from orders where id = any($1)", {1007}},
      {"select * from orders where uid = any($1::uuid[])", {2951}},
      {"select $1::int, cast($2 as date), $3", {23, 1082, 25}},
      {"insert into orders(customer_id, placed, payload, uid, day, ratio) values "
       "($1,$2,$3,$4,$5,$6)",
       {23, 1114, 17, 2950, 1082, 701}},
      {"insert into customers values ($1, $2, $3, $4, $5, $6)", {23, 1043, 1700, 16, 1184, 3802}},
      {"insert into customers(name, balance) select $1, $2", {1043, 1700}},
      {"update customers set balance = balance + $1, active = $2 where id = $3", {1700, 16, 23}},
      {"delete from orders where day >= $1 or ratio <> $2", {1082, 701}},
      {"select lower($1), coalesce(balance, $2) from customers", {25, 1700}},
      {"select $2, $1 from customers where id = $1", {23, 25}},
  };
  PgClient& a = connect();
  for (const auto& [sql, types] : kTable) {
    const PgReply reply =
        a.ask(fake::pg_parse("", sql) + fake::pg_describe('S', "") + fake::pg_sync());
    EXPECT_EQ(reply.parameters, types) << sql << " " << reply.sqlstate();
  }
  EXPECT_EQ(
      a.ask(fake::pg_parse("", "select $1", {20}) + fake::pg_describe('S', "") + fake::pg_sync())
          .parameters,
      std::vector<uint32_t>{20});
}

TEST_F(Dialect, BoundValues) {
  PgClient& a = connect();
  const auto run = [&](const std::string& sql, fake::PgBind bind) {
    return values_of(a.ask(fake::pg_parse("", sql) + fake::pg_bind(bind) + fake::pg_execute("") +
                           fake::pg_sync()));
  };
  EXPECT_EQ(run("select $2, $1", {"", "", {"10", "20"}, {}, {}}), "20|10;");
  EXPECT_EQ(run("select name from customers where id = $1", {"", "", {"2"}, {}, {}}), "bob;");
  EXPECT_EQ(run("select name from customers where id = $1",
                {"", "", {std::string("\0\0\0\2", 4)}, {1}, {}}),
            "bob;");
  EXPECT_EQ(run("select name from customers where id = any($1)", {"", "", {"{1,2}"}, {}, {}}),
            "Ann;bob;");
  EXPECT_EQ(
      run("insert into orders(placed, payload, uid, day) values ($1,$2,$3,$4) returning placed, "
          "payload, uid, day",
          {"",
           "",
           {"2024-01-02T03:04:05+01", "\\x0001", "00112233445566778899AABBCCDDEEFF", "2024-02-29"},
           {},
           {}}),
      "2024-01-02 03:04:05|\\x0001|00112233-4455-6677-8899-aabbccddeeff|2024-02-29;");
  EXPECT_EQ(run("select name from customers where id = $1", {"", "", {"two"}, {}, {}}), "!22P02 ");
  EXPECT_EQ(
      run("select total from orders where big = $1", {"", "", {"5000000000"}, {}, {1}}).size(),
      13U);  // two digits to the base 10000
}

TEST_F(Dialect, ErrorsPointAtTheirPlace) {
  const std::pair<std::string_view, std::string_view> kTable[] = {
      {"select * from nix", "42P01 15"},
      {"select nix from customers", "42703 8"},
      {"select c.nix from customers c", "42703 8"},
      {"select 1; select nix from customers", "42703 18"},
      {"select 1 from where", "42601 15"},
      {"select a::nix", "42704 11"},
      {"select '\xc3\xa9', nix", "42703 13"},
      {"frob", "42601 1"},
  };
  PgClient& a = connect();
  for (const auto& [sql, expected] : kTable) {
    const PgReply reply = a.query(sql);
    ASSERT_EQ(reply.errors.size(), 1U) << sql;
    EXPECT_EQ(reply.errors[0].sqlstate + " " + reply.errors[0].position, expected)
        << sql << " " << reply.errors[0].message;
  }
}

TEST_F(Dialect, Copy) {
  PgClient& a = connect();
  a.send(fake::pg_query("copy orders(customer_id, total, payload, placed) from stdin"));
  EXPECT_EQ(a.until('G').kinds, "G");
  PgReply reply = a.ask(fake::pg_message('d', "1\t1.50\t\\\\x00") +
                        fake::pg_message('d', "ff\t\\N\n2\t\\N\t\\N\t2024-01-01\n") +
                        fake::pg_message('c', ""));
  EXPECT_EQ(reply.tags[0], "COPY 2");
  reply = a.query(
      "copy (select customer_id, total, payload, placed from orders where id > 1 order by id) to "
      "stdout");
  EXPECT_EQ(reply.kinds, "HddcCZ");
  EXPECT_EQ(reply.copied, "1\t1.50\t\\\\x00ff\t\\N\n2\t\\N\t\\N\t2024-01-01 00:00:00\n");
  EXPECT_EQ(reply.tags[0], "COPY 2");
  a.send(fake::pg_query("copy customers(name, balance) from stdin csv header"));
  reply = a.ask(fake::pg_message('d', "name,balance\n\"a \"\"b\"\",\nc\",5\nx,\n") +
                fake::pg_message('c', ""));
  EXPECT_EQ(reply.tags[0], "COPY 2");
  EXPECT_EQ(a.query("copy customers(name, balance) to stdout csv").copied,
            "Ann,10.50\nbob,2.00\n\"a \"\"b\"\",\nc\",5.00\nx,\n");
  // All or nothing.
  a.send(fake::pg_query("copy customers(name) from stdin"));
  reply = a.ask(fake::pg_message('d', "good\n") + fake::pg_message('d', "bad\ttoo many\n") +
                fake::pg_message('c', ""));
  EXPECT_EQ(reply.sqlstate(), "22P04");
  EXPECT_EQ(a.query("select count(*) from customers").value(), "4");
  EXPECT_EQ(connect().query("delete from orders").tags[0], "DELETE 3");
  a.send(fake::pg_query("copy nix from stdin"));
  EXPECT_EQ(a.reply().sqlstate(), "42P01");
}

TEST_F(Dialect, Definitions) {
  PgClient& a = connect();
  for (const auto& [sql, tag] : std::vector<std::pair<std::string, std::string>>{
           {"create table d(id int primary key, v text)", "CREATE TABLE"},
           {"create table if not exists d(id int)", "CREATE TABLE"},
           {"alter table d add column w uuid default null", "ALTER TABLE"},
           {"alter table d rename column v to vv", "ALTER TABLE"},
           {"alter table d drop column w", "ALTER TABLE"},
           {"alter table d rename to e", "ALTER TABLE"},
           {"alter table e add constraint u unique (vv)", "ALTER TABLE"},
           {"create index on e (vv desc)", "CREATE INDEX"},
           {"insert into e values (1, 'x')", "INSERT 0 1"},
           {"create view v as select vv from e", "CREATE VIEW"},
           {"create or replace view v as select id from e", "CREATE VIEW"},
           {"create table f as select id + 1 as n from v", "SELECT 1"},
           {"drop view v", "DROP VIEW"},
           {"drop index e_vv_idx", "DROP INDEX"},
           {"drop table if exists nix, e cascade", "DROP TABLE"}})
    EXPECT_EQ(a.query(sql).tags, std::vector<std::string>{tag}) << sql;
  EXPECT_EQ(a.query("select n from f").value(), "2");
  EXPECT_EQ(a.query("select * from e").sqlstate(), "42P01");
  EXPECT_EQ(a.query("create table f(a int)").sqlstate(), "42P07");
}

TEST_F(Dialect, StatementsWithoutEffect) {
  PgClient& a = connect();
  for (const auto& [sql, tag] : std::vector<std::pair<std::string, std::string>>{
           {"vacuum analyze customers", "VACUUM"},
           {"analyze", "ANALYZE"},
           {"grant all on customers to x", "GRANT"},
           {"comment on table customers is 'x'", "COMMENT"},
           {"truncate orders", "TRUNCATE TABLE"},
           {"lock table orders", "LOCK TABLE"}})
    EXPECT_EQ(a.query(sql).tags, std::vector<std::string>{tag}) << sql;
  EXPECT_EQ(a.query("select count(*) from orders").value(), "0");
  EXPECT_FALSE(a.query("explain select * from orders").rows.empty());
  EXPECT_EQ(a.query("explain delete from customers").tags[0], "EXPLAIN");
  EXPECT_EQ(a.query("select count(*) from customers").value(), "2");
}

}  // namespace
}  // namespace weir::engine
