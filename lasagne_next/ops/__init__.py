"""Operations that PyTensor lacks, useful without the layers too."""

from lasagne_next.ops.matrix_product import MatrixProduct, matrix_product

__all__ = ["MatrixProduct", "matrix_product"]
