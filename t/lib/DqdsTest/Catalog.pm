# DqdsTest::Catalog: all that the catalog says of the extension dqds, as text by names, so that two databases can be compared.
#
# It holds no numbers of objects, which differ between databases, and nothing that says how a state came about. It makes no
# assertions.
#
#   is(line_differences(catalog_of($node, 'upgraded'), catalog_of($node, 'fresh')), '');
package DqdsTest::Catalog;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(catalog_of);

# An ACL in one order, and what a query adds to each line.
sub acl { return "(SELECT array_agg(a::text ORDER BY a::text COLLATE \"C\") FROM unnest($_[0]) AS a)" }

# columns(ALIAS, COLUMN…): a row as JSON without these columns, which are numbers, or are not about what the object is.
sub columns { my ($alias, @but) = @_; return "(to_jsonb($alias) - '{oid," . join(',', @but) . "}'::text[])" }

# The extension's members, and what belongs to them: columns' defaults, constraints, indexes, rules, types of rows.
my $closure = q(
	CREATE TEMPORARY VIEW object AS
		WITH RECURSIVE object (classid, objid) AS (
			SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
			WHERE e.extname = 'dqds' AND d.deptype = 'e'
			UNION
			SELECT d.classid, d.objid FROM object o JOIN pg_depend d ON d.refclassid = o.classid AND d.refobjid = o.objid
			WHERE d.deptype IN ('a', 'i', 'P', 'S'))
		SELECT classid, objid FROM object;
	CREATE FUNCTION pg_temp.named(classid oid, objid oid, objsubid integer DEFAULT 0) RETURNS text LANGUAGE sql AS
		$$ SELECT concat_ws(' ', type, identity) FROM pg_catalog.pg_identify_object(classid, objid, objsubid) $$;
);

# What is compared: a heading, and a query for lines.
my @parts = (
	[ extension => 'SELECT concat_ws(E\'\t\', extname, extversion, extowner::regrole, extnamespace::regnamespace, extrelocatable) FROM pg_extension WHERE extname = \'dqds\'' ],
	[ dumped => q(SELECT concat_ws(E'\t', t.relation::regclass, t.condition) FROM pg_extension, LATERAL unnest(extconfig, extcondition) AS t (relation, condition) WHERE extname = 'dqds') ],
	# Names of TOAST tables have numbers in them.
	[ object => q(SELECT pg_temp.named(classid, objid) FROM object WHERE pg_temp.named(classid, objid) !~ 'pg_toast') ],
	[ depends => q(
		SELECT concat_ws(E'\t', pg_temp.named(d.classid, d.objid, d.objsubid), pg_temp.named(d.refclassid, d.refobjid, d.refobjsubid), d.deptype)
		FROM object o JOIN pg_depend d USING (classid, objid) WHERE pg_temp.named(classid, objid) !~ 'pg_toast') ],
	[ roles => q(
		SELECT concat_ws(E'\t', pg_temp.named(d.classid, d.objid, d.objsubid), d.refobjid::regrole, d.deptype)
		FROM object o JOIN pg_shdepend d USING (classid, objid) WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())) ],
	[ comment => q(SELECT concat_ws(E'\t', pg_temp.named(d.classoid, d.objoid, d.objsubid), d.description) FROM object o JOIN pg_description d ON (d.classoid, d.objoid) = (o.classid, o.objid)) ],
	[ initially => "SELECT concat_ws(E'\\t', pg_temp.named(i.classoid, i.objoid, i.objsubid), i.privtype, " . acl('i.initprivs') . ')
		FROM object o JOIN pg_init_privs i ON (i.classoid, i.objoid) = (o.classid, o.objid)' ],
	[ function => "SELECT concat_ws(E'\\t', p.proowner::regrole, " . acl('p.proacl') . ", pg_get_functiondef(p.oid), " .
		columns('p', qw(pronamespace proowner prolang provariadic prosupport prorettype proargtypes proallargtypes proargdefaults prosqlbody proacl)) . ')
		FROM object o JOIN pg_proc p ON o.classid = \'pg_proc\'::regclass AND o.objid = p.oid' ],
	# relhastriggers may stay set for some time when the last trigger is gone.
	[ relation => "SELECT concat_ws(E'\\t', c.oid::regclass, c.relowner::regrole, " . acl('c.relacl') . ", (SELECT amname FROM pg_am WHERE oid = c.relam), c.reltoastrelid <> 0, CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) END, " .
		columns('c', qw(relnamespace reltype reloftype relowner relam relfilenode reltablespace relpages reltuples relallvisible relallfrozen reltoastrelid relfrozenxid relminmxid relacl relrewrite relhastriggers)) . ')
		FROM object o JOIN pg_class c ON o.classid = \'pg_class\'::regclass AND o.objid = c.oid WHERE c.relnamespace <> \'pg_toast\'::regnamespace' ],
	[ column => "SELECT concat_ws(E'\\t', a.attrelid::regclass, format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation, " . acl('a.attacl') . ', pg_get_expr(f.adbin, f.adrelid), ' .
		# Newer servers count the changes of a column in its options.
		"(SELECT array_agg(p ORDER BY p) FROM unnest(a.attoptions) AS p WHERE p NOT LIKE 'pg\\_attver=%'), " .
		columns('a', qw(attrelid atttypid attcollation attacl attoptions)) . ')
		FROM object o JOIN pg_attribute a ON o.classid = \'pg_class\'::regclass AND o.objid = a.attrelid LEFT JOIN pg_attrdef f ON (f.adrelid, f.adnum) = (a.attrelid, a.attnum)
		WHERE a.attrelid::regclass::text !~ \'pg_toast\' AND a.attnum > 0' ],
	[ constraint => q(SELECT concat_ws(E'\t', c.conrelid::regclass, c.conname, c.contype, c.convalidated, pg_get_constraintdef(c.oid)) FROM object o JOIN pg_constraint c ON c.conrelid = o.objid AND o.classid = 'pg_class'::regclass) ],
	[ index => "SELECT concat_ws(E'\\t', pg_get_indexdef(i.indexrelid), " . columns('i', qw(indexrelid indrelid indcollation indclass indexprs indpred)) . ')
		FROM object o JOIN pg_index i ON i.indrelid = o.objid AND o.classid = \'pg_class\'::regclass WHERE i.indrelid::regclass::text !~ \'pg_toast\'' ],
	[ trigger => q(SELECT pg_get_triggerdef(t.oid) FROM object o JOIN pg_trigger t ON t.tgrelid = o.objid AND o.classid = 'pg_class'::regclass) ],
	[ rule => q(SELECT pg_get_ruledef(r.oid) FROM object o JOIN pg_rewrite r ON r.ev_class = o.objid AND o.classid = 'pg_class'::regclass) ],
	[ sequence => q(SELECT concat_ws(E'\t', s.seqrelid::regclass, s.seqtypid::regtype, to_jsonb(s) - '{seqrelid,seqtypid}'::text[]) FROM object o JOIN pg_sequence s ON s.seqrelid = o.objid AND o.classid = 'pg_class'::regclass) ],
	[ type => "SELECT concat_ws(E'\\t', t.oid::regtype, t.typowner::regrole, " . acl('t.typacl') . ', t.typelem::regtype, t.typarray::regtype, ' .
		columns('t', qw(typnamespace typowner typrelid typelem typarray typbasetype typcollation typacl)) . ')
		FROM object o JOIN pg_type t ON o.classid = \'pg_type\'::regclass AND o.objid = t.oid WHERE t.oid::regtype::text !~ \'pg_toast\'' ],
	[ cast => q(SELECT concat_ws(E'\t', c.castsource::regtype, c.casttarget::regtype, c.castfunc::regproc, c.castcontext, c.castmethod) FROM object o JOIN pg_cast c ON o.classid = 'pg_cast'::regclass AND o.objid = c.oid) ],
	[ default => "SELECT concat_ws(E'\\t', d.defaclrole::regrole, d.defaclnamespace::regnamespace, d.defaclobjtype, " . acl('d.defaclacl') . ') FROM pg_default_acl d' ]);

# catalog_of(NODE, DATABASE, CHANGE = none): lines that begin with what they are about. An empty part is a line of its own. A change,
# in SQL, is made before and undone afterwards.
sub catalog_of
{
	my ($node, $database, $change) = @_;
	my $query = join ' UNION ALL ', map { my ($heading, $lines) = @$_; "SELECT '$heading' AS heading, replace(l.line, E'\\n', ' ') AS line FROM (SELECT NULL UNION ALL SELECT * FROM ($lines) AS q) AS l (line)" } @parts;
	return $node->safe_psql($database, "BEGIN; " . ($change // '') . "; SET LOCAL search_path = pg_catalog; $closure SELECT heading || coalesce(E'\\t' || line, ': these') FROM ($query) AS all_lines ORDER BY 1; ROLLBACK");
}

1;
