"""Oracle Transportation Management: tenders loads to carriers and tells what became of them."""
