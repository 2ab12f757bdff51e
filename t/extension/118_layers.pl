# What may call what: no file of src, of bridge or of agent calls a file of a layer above its own, no files call each other in a circle,
# no file includes the header of a layer above, and no wire knows another. DqdsTest::Layers has the lists; doc/developing.md
# draws the layers.
use strict;
use warnings;

use DqdsTest::Layers;
use Test::More;

layers_hold('src');
layers_hold('bridge');
layers_hold('agent');
done_testing();
