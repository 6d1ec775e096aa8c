/*
 * Repeats one COPY statement over one connection for some seconds and counts the bytes of its rows.
 *
 *   copyclient PORT DATABASE out SECONDS STATEMENT
 *   copyclient PORT DATABASE in  SECONDS STATEMENT ROW_BYTES
 *
 * It logs in as "bench" without a password, prints "ready", and waits for a line on its standard input,
 * so that the caller can look at the proxy's CPU clock between login and work. At the end it prints
 * "BYTES SECONDS COPIES". Each row is one CopyData message, as the server and most clients send them.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kBufferBytes = 65536, kCopyInBytes = 20 * 1000 * 1000 };

struct reader {
    int fd;
    size_t begin, end;
    unsigned char bytes[kBufferBytes];
};

struct message {
    char type;
    size_t body_bytes;
};

static void fail(const char *text) {
    fprintf(stderr, "copyclient: %s\n", text);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void send_all(int fd, const void *bytes, size_t count) {
    const char *next = bytes;
    while (count > 0) {
        ssize_t sent = send(fd, next, count, MSG_NOSIGNAL);
        if (sent <= 0) fail("the connection was lost while sending");
        next += sent;
        count -= (size_t)sent;
    }
}

static void put_length(unsigned char *out, size_t value) {
    uint32_t big_endian = htonl((uint32_t)value);
    memcpy(out, &big_endian, 4);
}

/* Makes at least `count` bytes available, count being small. */
static void need(struct reader *r, size_t count) {
    if (r->end - r->begin >= count) return;
    memmove(r->bytes, r->bytes + r->begin, r->end - r->begin);
    r->end -= r->begin;
    r->begin = 0;
    while (r->end < count) {
        ssize_t got = recv(r->fd, r->bytes + r->end, kBufferBytes - r->end, 0);
        if (got <= 0) fail("the connection was lost while receiving");
        r->end += (size_t)got;
    }
}

static struct message next_head(struct reader *r) {
    need(r, 5);
    uint32_t big_endian;
    memcpy(&big_endian, r->bytes + r->begin + 1, 4);
    struct message m = {(char)r->bytes[r->begin], ntohl(big_endian) - 4};
    r->begin += 5;
    return m;
}

static void skip(struct reader *r, size_t count) {
    while (count > 0) {
        if (r->begin == r->end) need(r, 1);
        size_t here = r->end - r->begin < count ? r->end - r->begin : count;
        r->begin += here;
        count -= here;
    }
}

static void fail_with_server_error(struct reader *r, struct message m) {
    size_t shown = m.body_bytes < 500 ? m.body_bytes : 500;
    need(r, shown);
    for (size_t i = 0; i < shown; i++) {
        if (r->bytes[r->begin + i] == 0) r->bytes[r->begin + i] = ' ';
    }
    fprintf(stderr, "copyclient: the server says %.*s\n", (int)shown, r->bytes + r->begin);
    exit(1);
}

/* Reads until a message of the wanted type; returns the bytes of all CopyData bodies on the way. */
static uint64_t read_until(struct reader *r, char wanted) {
    uint64_t copied = 0;
    for (;;) {
        struct message m = next_head(r);
        if (m.type == 'E') fail_with_server_error(r, m);
        if (m.type == 'd') copied += m.body_bytes;
        skip(r, m.body_bytes);
        if (m.type == wanted) return copied;
    }
}

static int dial(int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void log_in(struct reader *r, const char *database) {
    unsigned char packet[512] = {0, 0, 0, 0, 0, 3, 0, 0};
    int text = snprintf((char *)packet + 8, sizeof packet - 9, "user%cbench%cdatabase%c%s", 0, 0, 0, database);
    if (text < 0 || (size_t)text > sizeof packet - 12) fail("the database name is too long");
    size_t count = 8 + (size_t)text + 2; /* the name's own zero and the one that ends the list */
    put_length(packet, count);
    send_all(r->fd, packet, count);
    read_until(r, 'Z');
}

static void send_query(int fd, const char *statement) {
    unsigned char packet[1024] = {'Q'};
    size_t text = strlen(statement) + 1;
    if (text + 5 > sizeof packet) fail("the statement is too long");
    put_length(packet + 1, text + 4);
    memcpy(packet + 5, statement, text);
    send_all(fd, packet, text + 5);
}

static uint64_t copy_out(struct reader *r, const char *statement) {
    send_query(r->fd, statement);
    return read_until(r, 'Z');
}

/* One block of whole CopyData messages, sent again and again. */
struct block {
    unsigned char *bytes;
    size_t count, rows;
};

static struct block make_block(size_t row_bytes) {
    size_t message_bytes = row_bytes + 5;
    struct block b = {NULL, 0, kBufferBytes / message_bytes};
    b.count = b.rows * message_bytes;
    b.bytes = malloc(b.count);
    if (b.rows == 0 || b.bytes == NULL) fail("the rows are too long");
    for (size_t i = 0; i < b.rows; i++) {
        unsigned char *message = b.bytes + i * message_bytes;
        message[0] = 'd';
        put_length(message + 1, row_bytes + 4);
        memset(message + 5, 'x', row_bytes - 1);
        message[4 + row_bytes] = '\n';
    }
    return b;
}

static uint64_t copy_in(struct reader *r, const char *statement, const struct block *b, size_t row_bytes) {
    static const unsigned char done[5] = {'c', 0, 0, 0, 4};
    uint64_t copied = 0;
    send_query(r->fd, statement);
    read_until(r, 'G');
    while (copied < kCopyInBytes) {
        send_all(r->fd, b->bytes, b->count);
        copied += b->rows * row_bytes;
    }
    send_all(r->fd, done, sizeof done);
    read_until(r, 'Z');
    return copied;
}

static void wait_for_go(void) {
    char line[16];
    puts("ready");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL) exit(1);
}

int main(int count, char **arguments) {
    if (count < 6) fail("usage: copyclient PORT DATABASE out|in SECONDS STATEMENT [ROW_BYTES]");
    static struct reader r;
    int is_in = strcmp(arguments[3], "in") == 0;
    double seconds = atof(arguments[4]);
    size_t row_bytes = is_in && count > 6 ? (size_t)atoi(arguments[6]) : 100;
    struct block b = make_block(row_bytes);

    r.fd = dial(atoi(arguments[1]));
    log_in(&r, arguments[2]);
    send_query(r.fd, "SELECT 1");
    read_until(&r, 'Z');
    wait_for_go();

    double begin = now();
    uint64_t bytes = 0, copies = 0;
    do {
        bytes += is_in ? copy_in(&r, arguments[5], &b, row_bytes) : copy_out(&r, arguments[5]);
        copies++;
    } while (now() - begin < seconds);
    printf("%llu %.6f %llu\n", (unsigned long long)bytes, now() - begin, (unsigned long long)copies);
    return 0;
}
