/* getaddrinfo() as a test wants it, by LD_PRELOAD. At each call the file $WEIR_TEST_HOSTS says what a
   name stands for: a line "name address address ...", or "name AGAIN" (the resolver fails), or
   "name HANGS" (until the line is another). What is not in it does not exist. The name of each call
   is appended to $WEIR_TEST_LOOKUPS. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*Real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static void note(const char *name) {
  char line[300];
  const int size = snprintf(line, sizeof line, "%s\n", name);
  const int file = open(getenv("WEIR_TEST_LOOKUPS"), O_WRONLY | O_APPEND | O_CREAT, 0644);
  if (write(file, line, (size_t)size) < 0) abort();
  close(file);
}

/* The words behind the name, or an empty text. */
static void look_up(const char *name, char *words, int size) {
  FILE *file = fopen(getenv("WEIR_TEST_HOSTS"), "re");
  const size_t length = strlen(name);
  while (fgets(words, size, file))
    if (strncmp(words, name, length) == 0 && words[length] == ' ') {
      memmove(words, words + length, strlen(words + length) + 1);
      fclose(file);
      return;
    }
  fclose(file);
  words[0] = '\0';
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **list) {
  const Real real = (Real)dlsym(RTLD_NEXT, "getaddrinfo");
  struct addrinfo numeric = {0};
  if (hints) numeric = *hints;
  numeric.ai_flags |= AI_NUMERICHOST;
  const int status = real(name, service, &numeric, list);
  if (status != EAI_NONAME || (hints && hints->ai_flags & AI_NUMERICHOST)) return status;

  note(name);
  char words[4096];
  for (look_up(name, words, sizeof words); strstr(words, "HANGS");
       look_up(name, words, sizeof words))
    usleep(20000);
  if (strstr(words, "AGAIN")) return EAI_AGAIN;
  *list = NULL;
  struct addrinfo **end = list;
  for (char *rest = NULL, *word = strtok_r(words, " \n", &rest); word;
       word = strtok_r(NULL, " \n", &rest)) {
    if (real(word, service, &numeric, end) != 0) abort();
    while (*end) end = &(*end)->ai_next;
  }
  return *list ? 0 : EAI_NONAME;
}
