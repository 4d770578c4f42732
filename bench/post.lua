-- wrk: POST /tweets, each request by the next account. Arguments: file of tokens, one a line; requests a second of all
-- connections together, where they are not to be as many as can be.
local ffi = require("ffi")
ffi.cdef("typedef struct { long s, us; } timeval; int gettimeofday(timeval *now, void *zone);")
local tokens, i, due = {}, 0, 0
local body = '{"text":"Waiting for the train again, it is late as always #travel"}'

function init(args)
  for line in io.lines(args[1]) do tokens[#tokens + 1] = "Bearer " .. line end
  if args[2] then delay = paced(tonumber(args[2])) end  -- none without: wrk would set a timer for each request
end

-- Tells in how many milliseconds the next request may begin. What began late is made up for, up to 0.1 s of it.
function paced(per_second)
  return function()
    local now = ffi.new("timeval")
    ffi.C.gettimeofday(now, nil)
    local ms = tonumber(now.s) * 1000 + tonumber(now.us) / 1000
    due = math.max(due + 1000 / per_second, ms - 100)
    return math.max(due - ms, 0)
  end
end

function request()
  i = i % #tokens + 1
  return wrk.format("POST", nil, {["content-type"] = "application/json", ["authorization"] = tokens[i]}, body)
end

local statuses = {}
function response(status)
  if status >= 300 then wrk.thread:stop() end
end
