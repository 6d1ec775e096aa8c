// Which way each command of redis-server 7.0.15 goes. The names are all that `COMMAND` tells of
// there, and stand under the class that its flags and categories give them; of a container all
// subcommands are listed.
#include <gtest/gtest.h>

#include "protocol/redis/commands.h"

namespace weir::redis {
namespace {

// Needs a database, or nothing at all.
constexpr std::string_view kLanes =
    "append bitcount bitfield bitfield_ro bitop bitpos copy dbsize decr decrby del dump "
    "exists expire expireat expiretime flushdb "
    "geoadd geodist geohash geopos georadius georadius_ro georadiusbymember "
    "georadiusbymember_ro geosearch geosearchstore get getbit getdel getex getrange getset "
    "hdel hexists hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hrandfield hscan "
    "hset hsetnx hstrlen hvals incr incrby incrbyfloat lcs lindex linsert llen lmove "
    "lmpop lpop lpos lpush lpushx lrange lrem lset ltrim memory|usage mget migrate move mset "
    "msetnx object|encoding object|freq object|help object|idletime object|refcount persist "
    "pexpire pexpireat pexpiretime pfadd pfcount pfdebug pfmerge psetex pttl randomkey "
    "rename renamenx restore restore-asking rpop rpoplpush rpush rpushx sadd scan scard "
    "sdiff sdiffstore set setbit setex setnx setrange sinter sintercard sinterstore "
    "sismember smembers smismember smove spop srandmember srem sscan strlen "
    "substr sunion sunionstore touch ttl type unlink xack xadd xautoclaim xclaim xdel "
    "xgroup|create xgroup|createconsumer xgroup|delconsumer xgroup|destroy xgroup|setid "
    "xinfo|consumers xinfo|groups xinfo|stream xlen xpending xrange xrevrange xsetid xtrim "
    "zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore zlexcount "
    "zmpop zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore "
    "zrank zrem zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex "
    "zrevrangebyscore zrevrank zscan zscore zunion zunionstore acl|cat acl|deluser "
    "acl|dryrun acl|genpass acl|getuser acl|help acl|list acl|load acl|log acl|save "
    "acl|setuser acl|users acl|whoami bgrewriteaof bgsave client|help cluster|addslots "
    "cluster|addslotsrange cluster|bumpepoch "
    "cluster|count-failure-reports cluster|countkeysinslot cluster|delslots "
    "cluster|delslotsrange cluster|failover cluster|flushslots cluster|forget "
    "cluster|getkeysinslot cluster|help cluster|info cluster|keyslot cluster|links "
    "cluster|meet cluster|myid cluster|nodes cluster|replicas cluster|replicate "
    "cluster|reset cluster|saveconfig cluster|set-config-epoch cluster|setslot "
    "cluster|shards cluster|slaves cluster|slots command command|count command|docs "
    "command|getkeys command|getkeysandflags command|help command|info command|list "
    "config|get config|help config|resetstat config|rewrite config|set echo failover "
    "flushall function|delete function|dump function|flush function|help function|list "
    "function|load function|restore function|stats info lastsave latency|doctor "
    "latency|graph latency|help latency|histogram latency|history latency|latest "
    "latency|reset lolwut memory|doctor memory|help memory|malloc-stats memory|purge "
    "memory|stats module|help module|list module|load module|loadex module|unload pfselftest "
    "ping publish pubsub|channels pubsub|help pubsub|numpat pubsub|numsub "
    "pubsub|shardchannels pubsub|shardnumsub replicaof role script|exists script|flush "
    "script|help script|load slaveof slowlog|get slowlog|help slowlog|len slowlog|reset "
    "spublish swapdb time xgroup|help xinfo|help ";

// Those that need a connection of their own, or weir's own answer, by what they do to it.
struct Row {
  Way way;
  std::string_view names;
};
constexpr Row kOthers[] = {
    {Way::Heavy, "eval eval_ro evalsha evalsha_ro fcall fcall_ro keys save sort sort_ro "},
    {Way::Unknown, "asking readonly readwrite "},
    {Way::Pause, "client|pause "},
    {Way::Unpause, "client|unpause "},
    {Way::Replica, "replconf "},
    {Way::Auth, "auth "},
    {Way::Block, "blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin debug shutdown "},
    {Way::Client,
     "client|getname client|getredir client|id client|info client|kill client|list "
     "client|no-evict client|reply client|setname client|trackinginfo client|unblock "
     "client|caching client|tracking "},
    {Way::Hello, "hello "},
    {Way::Reset, "reset "},
    {Way::Wait, "wait "},
    {Way::Monitor, "monitor "},
    {Way::Subscribe, "psubscribe punsubscribe ssubscribe subscribe sunsubscribe unsubscribe "},
    {Way::Sync, "psync sync "},
    {Way::Refuse, "script|debug "},
    {Way::Select, "select "},
    {Way::Quit, "quit "},
    {Way::Multi, "multi "},
    {Way::Exec, "exec "},
    {Way::Discard, "discard "},
    {Way::Watch, "watch "},
    {Way::Unwatch, "unwatch "},
    {Way::Read, "xread xreadgroup "},
    {Way::Lease, "script|kill function|kill "},
};

size_t expect_way(std::string_view names, Way way) {
  size_t count = 0;
  for (size_t end = 0; (end = names.find(' ')) != std::string_view::npos;
       names.remove_prefix(end + 1)) {
    const std::string_view each = names.substr(0, end);
    const size_t bar = std::min(each.find('|'), each.size());
    std::string name(each.substr(0, bar)), subcommand(each.substr(std::min(bar + 1, each.size())));
    EXPECT_EQ(way_of_name(name, subcommand), way) << each;
    for (char& c : name) c = static_cast<char>(std::toupper(c));
    for (char& c : subcommand) c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(way_of_name(name, subcommand), way) << each;
    EXPECT_EQ(way_of_name(name + "x", subcommand), Way::Lane) << each;
    ++count;
  }
  return count;
}

TEST(RedisCommands, AllHaveTheirWay) {
  size_t count = expect_way(kLanes, Way::Lane);
  for (const auto& [way, names] : kOthers) count += expect_way(names, way);
  EXPECT_EQ(count, 352u);
  EXPECT_EQ(way_of_name("waitaof", ""), Way::Wait);
}

TEST(RedisCommands, TheUnknownGoDownALane) {
  for (const std::string_view name :
       {"", "nosuch", "\xff", "{", "@", "getx", "zz", "punsubscribepunsubscribe"})
    EXPECT_EQ(way_of_name(name, ""), Way::Lane) << name;
  EXPECT_EQ(way_of_name("client", ""), Way::Client);
  EXPECT_EQ(way_of_name("client", "no-touch"), Way::Client);
  EXPECT_EQ(way_of_name("script", ""), Way::Lane);
}

// redis R39
TEST(RedisCommands, ReadsThatBlock) {
  const auto way = [](Bytes line) { return way_of(cut_request(line)); };
  EXPECT_EQ(way("XREAD COUNT 2 STREAMS s 0\r\n"), Way::Lane);
  EXPECT_EQ(way("XREAD COUNT 2 BLOCK 0 STREAMS s 0\r\n"), Way::Block);
  EXPECT_EQ(way("XREAD STREAMS block 0\r\n"), Way::Lane);
  EXPECT_EQ(way("xreadgroup group g c count 1 count 1 count 1 count 1 block 5 streams s >\r\n"),
            Way::Block);
  std::string array;
  append_command(array, {"XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "COUNT", "1", "NOACK",
                         "Block", "5", "STREAMS", "s", ">"});
  EXPECT_EQ(way(array), Way::Block);
  // It went down a lane, which then stood still for everybody.
  EXPECT_EQ(way("XREADGROUP GROUP streams streams BLOCK 0 STREAMS s >\r\n"), Way::Block);
  EXPECT_EQ(way("XREADGROUP GROUP block block STREAMS s >\r\n"), Way::Lane);
}

}  // namespace
}  // namespace weir::redis
