// What the system says of this process, read from /proc when somebody asks. Any thread.
#pragma once

namespace weir::app {

struct ProcessFigures {
  double cpu_seconds = 0;
  double resident_bytes = 0;
  double virtual_bytes = 0;
  double open_files = 0;
  double open_files_max = 0;
  double threads = 0;
  double started_at = 0;  // seconds since 1970
};

ProcessFigures process_figures();

}  // namespace weir::app
