// What the two halves of a pg_hba.conf record's reading share. Private to the folder.
#pragma once

#include <weir/config/hba.h>

#include "auth_lines.h"

namespace weir::config {

// The fields behind a rule's method: NAME=VALUE each. `place`: of the record.
void read_hba_options(AuthReader& reader, const AuthPlace& place, std::span<const AuthField> fields,
                      HbaRule& rule);

}  // namespace weir::config
