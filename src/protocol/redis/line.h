// The arguments of a line, quoted or not, as a server splits it (sdssplitargs() in Redis' sds.c).
#pragma once

#include <string>
#include <vector>

#include <weir/base/bytes.h>

namespace weir::redis {

// False: the quotes are not balanced. The line ends where `line` does.
bool split_line(base::Bytes line, std::vector<std::string>& arguments);

}  // namespace weir::redis
