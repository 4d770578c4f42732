-- wrk: POST /tweets, each request by the next account. Arguments: file of tokens, one a line.
local tokens, i = {}, 0
local body = '{"text":"Waiting for the train again, it is late as always #travel"}'

function init(args)
  for line in io.lines(args[1]) do tokens[#tokens + 1] = "Bearer " .. line end
end

function request()
  i = i % #tokens + 1
  return wrk.format("POST", nil, {["content-type"] = "application/json", ["authorization"] = tokens[i]}, body)
end

local statuses = {}
function response(status)
  if status >= 300 then wrk.thread:stop() end
end
