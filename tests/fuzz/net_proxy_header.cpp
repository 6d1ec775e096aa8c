// A hostile load balancer. Bytes that come one by one have the same answer as all at once; an
// answer does not change for what follows it; nobody is asked to keep more than a header.
#include <cstdint>
#include <cstdlib>

#include <weir/net/proxy_header.h>

namespace {

using namespace weir::net;
using weir::base::Bytes;

void check(bool holds) {
  if (!holds) std::abort();
}

bool same(const weir::base::Result<ProxyHeader>& a, const weir::base::Result<ProxyHeader>& b) {
  if (!a || !b) return !a && !b && a.error().text == b.error().text;
  return a.value() == b.value();
}

bool wants_more(const weir::base::Result<ProxyHeader>& read) {
  return read && read.value().size == 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = read_proxy_header(bytes);
  check(whole || whole.error().text.starts_with("PROXY header: "));
  check(!wants_more(whole) || size < kProxyHeaderBytesMax);
  if (whole) {
    check(whole.value().size <= size && whole.value().size <= kProxyHeaderBytesMax);
    check(whole.value().size > 0 || !whole.value().has_ends);
  }
  for (size_t end = 0; end < size; ++end) {
    const auto part = read_proxy_header(bytes.substr(0, end));
    if (wants_more(part)) continue;
    check(same(part, whole));
    check(!part || part.value().size == end);
    break;
  }
  return 0;
}
