// pg_ident.conf: which users of the operating system, or names in certificates, may log in as which
// users of a database. PostgreSQL 17's chapter "User Name Maps" is what is read. A value; may_be()
// is asked on any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <weir/config/auth_file.h>
#include <weir/config/load.h>

namespace weir::config {

struct IdentRule {
  std::string map;
  NameRule system;  // a Name or a Pattern
  NameRule user;    // a Name may have a \1 in it; All, Group and Pattern have none
  std::string file;
  int line = 0;
  bool operator==(const IdentRule&) const = default;
};

struct IdentMaps {
  std::vector<IdentRule> list;
  bool operator==(const IdentMaps&) const = default;
};

struct IdentFile {
  IdentMaps maps;
  std::vector<Problem> problems;  // all of them; the maps are of no use unless there are none
};
IdentFile parse_ident(std::string_view text, const std::string& file, AuthFiles files = {});
IdentFile load_ident(const std::string& file);

struct IdentClaim {
  std::string map;                 // "": the names have to be equal
  std::string system_name;         // that is proven
  std::string user;                // that is wanted
  const Groups* groups = nullptr;  // of `user`; null: not known yet
};

// Any line of the map is enough. Letters count as they are written, as in PostgreSQL.
Fit may_be(const IdentMaps& maps, const IdentClaim& claim);

}  // namespace weir::config
