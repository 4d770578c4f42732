-- wrk: GET each of a list of paths in turn, each by the next account. Arguments: file of tokens, file of paths.
local tokens, paths, i, j = {}, {}, 0, 0

function init(args)
  for line in io.lines(args[1]) do tokens[#tokens + 1] = "Bearer " .. line end
  for line in io.lines(args[2]) do paths[#paths + 1] = line end
end

function request()
  i = i % #tokens + 1
  j = j % #paths + 1
  return wrk.format("GET", paths[j], {["authorization"] = tokens[i]})
end
