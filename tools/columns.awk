# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A column of ClickHouse for each field of lostpeer-events(7), the first file, where the second says @COLUMNS@.
BEGIN {
	type["integer"] = "UInt64"
	type["string"] = "String"
	type["boolean"] = "UInt8"
	type["number"] = "Decimal(18, 3)"
	split("schema time host.name event cause severity", names, " ")
	for (i in names)
		always[names[i]] = 1
}

FNR == NR && /^\.Sh / {
	section = $0
}

FNR == NR {
	if (section == ".Sh FIELDS" && sub(/^\.It Va /, "") && split($0, field, " Pq ") == 2) {
		kind = field[2]
		if (sub(/^array of /, "", kind))
			kind = "Array(" type[kind] ")"
		else
			kind = field[1] in always ? type[kind] : "Nullable(" type[kind] ")"
		columns = columns sprintf("    %-28s %s,\n", "`" field[1] "`", kind)
	}
	next
}

/^@COLUMNS@$/ {
	printf "%s", columns
	next
}

{
	print
}
