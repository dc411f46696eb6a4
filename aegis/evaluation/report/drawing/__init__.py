"""Drawing charts as SVG text: elements, axes, and where labels go. Import from the modules."""
