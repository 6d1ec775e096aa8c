/*
 * hiredis among the drivers: a client in C with two blocking connections and, for subscriptions, a third.
 * rounds.py says what such a program is told and what it prints.
 */
#define _GNU_SOURCE
#include <hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kMessages = 20, kPipelined = 100, kLargeBytes = 1 << 20 };

static const char *name;
static int port, prime;
static redisContext *client, *other;
static const char *step = "greeting";
static int n; /* the round */

static void fail(const char *format, ...) {
    va_list list;
    va_start(list, format);
    fprintf(stderr, "%d %s: ", n, step);
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n");
    exit(1);
}

/* Never given back: the program ends soon. */
static char *text(const char *format, ...) {
    char *out = NULL;
    va_list list;
    va_start(list, format);
    if (vasprintf(&out, format, list) < 0) exit(2);
    va_end(list);
    return out;
}

static char *key(const char *what) { return text("%s:%d:%s", name, n, what); }
static char *value(const char *what) { return text("%s %s", name, what); }

static redisContext *dial(void) {
    const struct timeval limit = {40, 0};
    redisContext *made = redisConnectWithTimeout("127.0.0.1", port, limit);
    if (!made || made->err) fail("no connection: %s", made ? made->errstr : "no memory");
    redisSetTimeout(made, limit);
    return made;
}

/* ---------------------------------------------------------------- answers, as text */

static void render(FILE *out, const redisReply *reply) {
    switch (reply->type) {
        case REDIS_REPLY_NIL: fprintf(out, "nil"); break;
        case REDIS_REPLY_INTEGER: fprintf(out, "%lld", reply->integer); break;
        case REDIS_REPLY_ERROR: fprintf(out, "-%s", reply->str); break;
        case REDIS_REPLY_ARRAY:
            fprintf(out, "[");
            for (size_t i = 0; i < reply->elements; ++i) {
                if (i > 0) fprintf(out, ", ");
                render(out, reply->element[i]);
            }
            fprintf(out, "]");
            break;
        default: fwrite(reply->str, 1, reply->len, out);
    }
}

static char *rendered(redisContext *from, redisReply *reply) {
    if (!reply) fail("the connection is lost: %s", from->errstr);
    char *shown = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&shown, &size);
    render(out, reply);
    fclose(out);
    freeReplyObject(reply);
    return shown;
}

static char *ask(redisContext *whom, const char *format, ...) {
    va_list list;
    va_start(list, format);
    redisReply *reply = redisvCommand(whom, format, list);
    va_end(list);
    return rendered(whom, reply);
}

static char *next(redisContext *from) {
    void *reply = NULL;
    redisGetReply(from, &reply);
    return rendered(from, reply);
}

static void is(const char *found, const char *expected) {
    if (strcmp(found, expected) != 0) fail("%.500s is not %.500s", found, expected);
}

static void begins(const char *found, const char *expected) {
    if (strncmp(found, expected, strlen(expected)) != 0) fail("%.500s is not %s...", found, expected);
}

/* Sends what was appended, without waiting for the answer. */
static void flush(redisContext *whom) {
    int done = 0;
    while (!done)
        if (redisBufferWrite(whom, &done) != REDIS_OK) fail("cannot send: %s", whom->errstr);
}

/* ---------------------------------------------------------------- steps */

static void greeting(void) {
    is(ask(client, "CLIENT SETNAME %s", name), "OK");
    is(ask(client, "CLIENT GETNAME"), name);
    begins(ask(client, "HELLO 2"), "[server, redis, version, ");
    begins(ask(client, "HELLO 7"), "-NOPROTO ");
    begins(ask(client, "CLIENT INFO"), text("id=%s ", ask(client, "CLIENT ID")));
}

static void pipeline(void) {
    for (int i = 0; i < kPipelined; ++i) {
        const char *its = key(text("p%d", i));
        redisAppendCommand(client, "SET %s %s", its, value(text("%d", i)));
        redisAppendCommand(client, "GET %s", its);
        redisAppendCommand(client, "STRLEN %s", its);
    }
    for (int i = 0; i < kPipelined; ++i) {
        const char *its = value(text("%d", i));
        is(next(client), "OK");
        is(next(client), its);
        is(next(client), text("%zu", strlen(its)));
    }
}

static void transaction(void) {
    const char *its = key("t"), *count = key("count");
    is(ask(client, "MULTI"), "OK");
    is(ask(client, "SET %s %s", its, value("t")), "QUEUED");
    is(ask(client, "INCRBY %s %d", count, prime), "QUEUED");
    is(ask(client, "GET %s", its), "QUEUED");
    is(ask(client, "EXEC"), text("[OK, %d, %s]", prime, value("t")));
    redisAppendCommand(client, "MULTI");
    redisAppendCommand(client, "INCRBY %s %d", count, prime);
    redisAppendCommand(client, "INCR %s", its);
    redisAppendCommand(client, "EXEC");
    is(next(client), "OK");
    is(next(client), "QUEUED");
    is(next(client), "QUEUED");
    is(next(client), text("[%d, -ERR value is not an integer or out of range]", 2 * prime));
    is(ask(client, "MULTI"), "OK");
    is(ask(client, "INCRBY %s %d", count, prime), "QUEUED");
    is(ask(client, "DISCARD"), "OK");
    is(ask(client, "GET %s", count), text("%d", 2 * prime));
}

static void watch(void) {
    const char *its = key("w");
    is(ask(client, "WATCH %s", its), "OK");
    is(ask(other, "SET %s %s", its, value("the other's")), "OK");
    is(ask(client, "MULTI"), "OK");
    is(ask(client, "SET %s %s", its, value("mine")), "QUEUED");
    is(ask(client, "EXEC"), "nil");
    is(ask(client, "GET %s", its), value("the other's"));
    is(ask(client, "WATCH %s", its), "OK");
    is(ask(client, "MULTI"), "OK");
    is(ask(client, "SET %s %s", its, value("mine")), "QUEUED");
    is(ask(client, "EXEC"), "[OK]");
    is(ask(client, "WATCH %s", its), "OK");
    is(ask(client, "UNWATCH"), "OK");
}

static void script(void) {
    const char *its = key("s"), *what = value("scripted");
    const char *lua = text("redis.call('set', KEYS[1], ARGV[1]); return {KEYS[1], ARGV[1], %d, 'round %d'}", prime, n);
    const char *expected = text("[%s, %s, %d, round %d]", its, what, prime, n);
    begins(ask(client, "EVALSHA %040d 1 %s %s", n, its, what), "-NOSCRIPT ");
    is(ask(client, "EVAL %s 1 %s %s", lua, its, what), expected);
    const char *sha = ask(other, "SCRIPT LOAD %s", lua);
    is(ask(client, "EVALSHA %s 1 %s %s", sha, its, what), expected);
}

static void function(void) {
    const char *library = text("%s_%d", name, n), *its = key("f"), *what = value("called");
    const char *code = text("#!lua name=%s\nredis.register_function('%s', function(keys, args) "
                            "redis.call('set', keys[1], args[1]) return {keys[1], args[1]} end)", library, library);
    is(ask(client, "FUNCTION LOAD REPLACE %s", code), library);
    is(ask(other, "FCALL %s 1 %s %s", library, its, what), text("[%s, %s]", its, what));
}

static void pubsub(void) {
    const char *channel = key("channel");
    redisContext *listener = dial();
    is(ask(listener, "SUBSCRIBE %s", channel), text("[subscribe, %s, 1]", channel));
    for (int i = 0; i < kMessages; ++i) is(ask(other, "PUBLISH %s %s", channel, value(text("%d", i))), "1");
    for (int i = 0; i < kMessages; ++i)
        is(next(listener), text("[message, %s, %s]", channel, value(text("%d", i))));
    begins(ask(listener, "GET x"), "-ERR Can't execute 'get': only (P|S)SUBSCRIBE");
    is(ask(listener, "PING"), "[pong, ]");
    is(ask(listener, "PSUBSCRIBE %s.*", channel), text("[psubscribe, %s.*, 2]", channel));
    ask(other, "PUBLISH %s.x %s", channel, value("by pattern"));
    is(next(listener), text("[pmessage, %s.*, %s.x, %s]", channel, channel, value("by pattern")));
    is(ask(listener, "UNSUBSCRIBE"), text("[unsubscribe, %s, 1]", channel));
    is(ask(listener, "PUNSUBSCRIBE"), text("[punsubscribe, %s.*, 0]", channel));
    is(ask(listener, "GET %s", key("none")), "nil");
    redisFree(listener);
}

static void blocking(void) {
    const char *its = key("list");
    redisAppendCommand(client, "BLPOP %s 20", its);
    flush(client);
    usleep(50000);
    is(ask(other, "RPUSH %s %s %s", its, value("popped"), value("left")), "2");
    is(next(client), text("[%s, %s]", its, value("popped")));
    is(ask(client, "LRANGE %s 0 -1", its), text("[%s]", value("left")));
    is(ask(client, "BLPOP %s 0.05", key("none")), "nil");
}

static char *add(const char *its, const char *what) { return ask(other, "XADD %s * f %s", its, value(what)); }

static void streams(void) {
    const char *its = key("stream");
    char *sent = text("");
    is(ask(client, "XGROUP CREATE %s g 0 MKSTREAM", its), "OK");
    for (int i = 0; i < 10; ++i) {
        const char *what = text("%d", i), *id = add(its, what);
        sent = text("%s%s[%s, [f, %s]]", sent, i > 0 ? ", " : "", id, value(what));
    }
    is(ask(client, "XREADGROUP GROUP g me COUNT 20 STREAMS %s >", its), text("[[%s, [%s]]]", its, sent));
    redisAppendCommand(client, "XREADGROUP GROUP g me BLOCK 20000 STREAMS %s >", its);
    flush(client);
    usleep(50000);
    const char *late = add(its, "late");
    is(next(client), text("[[%s, [[%s, [f, %s]]]]]", its, late, value("late")));
    begins(ask(client, "XPENDING %s g", its), "[11, ");
    is(ask(client, "XACK %s g %s", its, late), "1");
    begins(ask(client, "XPENDING %s g", its), "[10, ");
}

static void database(void) {
    const char *its = key("db");
    redisContext *far = dial();
    is(ask(far, "SELECT 5"), "OK");
    is(ask(far, "SET %s %s", its, value("in 5")), "OK");
    is(ask(client, "GET %s", its), "nil");
    is(ask(client, "SELECT 5"), "OK");
    is(ask(client, "GET %s", its), value("in 5"));
    is(ask(client, "SELECT 0"), "OK");
    is(ask(client, "SET %s %s", its, value("in 0")), "OK");
    is(ask(far, "GET %s", its), value("in 5"));
    is(ask(far, "QUIT"), "OK");
    redisFree(far);
}

static void large(void) {
    const char *its = key("large");
    const size_t prefix = strlen(value(""));
    char *bytes = malloc(kLargeBytes);
    for (size_t i = 0; i < kLargeBytes; ++i) bytes[i] = (char)random();
    memcpy(bytes, value(""), prefix);
    is(ask(client, "SET %s %b", its, bytes, (size_t)kLargeBytes), "OK");
    redisReply *reply = redisCommand(client, "GET %s", its);
    if (!reply || reply->type != REDIS_REPLY_STRING || reply->len != kLargeBytes ||
        memcmp(reply->str, bytes, kLargeBytes) != 0)
        fail("the value has changed");
    freeReplyObject(reply);
    free(bytes);
}

int main(int count, char **words) {
    const struct {
        const char *name;
        void (*perform)(void);
    } steps[] = {{"greeting", greeting}, {"pipeline", pipeline}, {"transaction", transaction}, {"watch", watch},
                 {"script", script},     {"function", function}, {"pubsub", pubsub},           {"blocking", blocking},
                 {"streams", streams},   {"database", database}, {"large", large}};
    if (count < 5) return 2;
    port = atoi(words[1]);
    name = words[2];
    prime = atoi(words[3]);
    client = dial();
    other = dial();
    for (n = 0; n < atoi(words[4]); ++n) {
        for (size_t i = 0; i < sizeof steps / sizeof *steps; ++i) {
            step = steps[i].name;
            steps[i].perform();
            printf("%d %s\n", n, step);
            fflush(stdout);
        }
    }
    redisFree(client);
    redisFree(other);
    printf("done\n");
    return 0;
}
